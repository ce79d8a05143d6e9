import BulkheadCore

/// Latencies of the last half to whole minute, in buckets that grow by an eighth: an answer is at most 12 % too high.
/// Recording costs an addition; nothing is allocated after the start.
struct LatencyHistogram {
    private static let span: Duration = .seconds(30)

    private var recent = [UInt32](repeating: 0, count: LatencyBuckets.count)
    private var previous = [UInt32](repeating: 0, count: LatencyBuckets.count)
    private var spanStart: MonotonicTime

    init(now: MonotonicTime) { spanStart = now }

    mutating func record(_ latency: Duration, now: MonotonicTime) {
        if now - spanStart >= Self.span { rotate(now) }
        recent[LatencyBuckets.bucket(latency)] &+= 1
    }

    /// The latency in milliseconds that `share` (0…1) of the calls did not exceed; nil without calls.
    func quantile(_ share: Double) -> Double? {
        let total = zip(recent, previous).reduce(0) { $0 + Int($1.0) + Int($1.1) }
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * share).rounded(.up)))
        var seen = 0
        for index in recent.indices {
            seen += Int(recent[index]) + Int(previous[index])
            if seen >= rank { return Double(LatencyBuckets.upperBound(index)) / 1_000_000 }
        }
        return nil
    }

    private mutating func rotate(_ now: MonotonicTime) {
        if now - spanStart >= Self.span * 2 { for index in recent.indices { recent[index] = 0 } }
        swap(&recent, &previous)
        for index in recent.indices { recent[index] = 0 }
        spanStart = now
    }
}
