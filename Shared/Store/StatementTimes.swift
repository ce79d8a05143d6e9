import BulkheadCore

/// How long the runs of one statement took, since the process began. Recording allocates nothing.
package struct StatementTimes: Sendable {
    private var counts = [UInt32](repeating: 0, count: LatencyBuckets.count)
    /// Runs.
    package private(set) var count = 0
    /// Of all runs together.
    package private(set) var total = Duration.zero
    /// Of the longest run.
    package private(set) var longest = Duration.zero
    /// Rows all runs gave or changed.
    package private(set) var rows = 0

    /// No runs.
    package init() {}

    mutating func record(_ took: Duration, rows: Int) {
        counts[LatencyBuckets.bucket(took)] &+= 1
        count += 1
        total += took
        longest = max(longest, took)
        self.rows += rows
    }

    /// The duration that `share` (0 … 1) of the runs did not exceed, at most 12 % too high; nil without runs.
    package func quantile(_ share: Double) -> Duration? {
        guard count > 0 else { return nil }
        let rank = min(count, max(1, Int((Double(count) * share).rounded(.up))))
        var seen = 0
        for (bucket, runs) in counts.enumerated() {
            seen += Int(runs)
            if seen >= rank { return min(longest, .nanoseconds(Int64(LatencyBuckets.upperBound(bucket)))) }
        }
        return longest
    }

    /// The runs by the upper bound of their bucket, for other histograms; empty buckets are absent.
    package var buckets: [(upTo: Duration, runs: Int)] {
        counts.enumerated().compactMap { bucket, runs in
            runs == 0 ? nil : (.nanoseconds(Int64(LatencyBuckets.upperBound(bucket))), Int(runs))
        }
    }
}
