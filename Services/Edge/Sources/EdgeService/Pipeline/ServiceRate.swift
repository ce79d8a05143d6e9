import BulkheadCore

/// How often a place comes free while somebody waits for one: what an honest Retry-After is made of.
package struct ServiceRate: Sendable {
    /// Waits told are within these bounds: the lower as nothing is known for sure, the upper as clients ignore longer ones.
    package static let bounds = Duration.seconds(1) ... Duration.seconds(60)
    /// Samples over which the average extends.
    private static let memory = 8.0

    /// Nanoseconds from one free place to the next, on average; nil before the second.
    private var interval: Double?
    /// When a place came free last, or somebody began to wait; nil while nobody waits.
    private var since: MonotonicTime?

    /// Nothing is known.
    package init() {}

    /// Somebody waits.
    package mutating func waits(now: MonotonicTime) { since = since ?? now }

    /// A place came free. - Parameter isWanted: somebody waited for it.
    package mutating func freed(isWanted: Bool, now: MonotonicTime) {
        defer { since = isWanted ? now : nil }
        guard isWanted, let since else { return }
        let sample = Double((now - since).nanosecondsClamped)
        interval = interval.map { $0 + (sample - $0) / Self.memory } ?? sample
    }

    /// About how long it takes until so many places came free. One that has not come for long says as much as the average.
    package func wait(for places: Int, now: MonotonicTime) -> Duration {
        let pending = since.map { Double((now - $0).nanosecondsClamped) } ?? 0
        let nanoseconds = max(interval ?? 0, pending) * Double(places)
        return min(max(.nanoseconds(Int64(min(nanoseconds, 1e15))), Self.bounds.lowerBound), Self.bounds.upperBound)
    }
}
