import BulkheadCore

/// Latencies of the last half to whole minute, in buckets that grow by an eighth: an answer is at most 12 % too high.
/// Recording costs an addition; nothing is allocated after the start.
struct LatencyHistogram {
    private static let buckets = 40 * 8
    private static let span: Duration = .seconds(30)

    private var recent = [UInt32](repeating: 0, count: buckets)
    private var previous = [UInt32](repeating: 0, count: buckets)
    private var spanStart: MonotonicTime

    init(now: MonotonicTime) { spanStart = now }

    mutating func record(_ latency: Duration, now: MonotonicTime) {
        if now - spanStart >= Self.span { rotate(now) }
        recent[Self.bucket(UInt64(max(0, latency.nanosecondsClamped)))] &+= 1
    }

    /// The latency in milliseconds that `share` (0…1) of the calls did not exceed; nil without calls.
    func quantile(_ share: Double) -> Double? {
        let total = zip(recent, previous).reduce(0) { $0 + Int($1.0) + Int($1.1) }
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * share).rounded(.up)))
        var seen = 0
        for index in recent.indices {
            seen += Int(recent[index]) + Int(previous[index])
            if seen >= rank { return Double(Self.upperBound(index)) / 1_000_000 }
        }
        return nil
    }

    private mutating func rotate(_ now: MonotonicTime) {
        if now - spanStart >= Self.span * 2 { for index in recent.indices { recent[index] = 0 } }
        swap(&recent, &previous)
        for index in recent.indices { recent[index] = 0 }
        spanStart = now
    }

    /// Eight buckets an octave: the three bits below the highest one choose among them.
    private static func bucket(_ nanoseconds: UInt64) -> Int {
        guard nanoseconds >= 8 else { return Int(nanoseconds) }
        let octave = 63 - nanoseconds.leadingZeroBitCount
        return min(buckets - 1, (octave - 2) * 8 + Int(nanoseconds >> UInt64(octave - 3)) & 7)
    }

    private static func upperBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 8 else { return UInt64(bucket) }
        return (UInt64(bucket & 7) + 9) << UInt64(bucket / 8 - 1)
    }
}
