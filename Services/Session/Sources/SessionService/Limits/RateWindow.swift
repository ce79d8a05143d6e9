import BulkheadCore
import BulkheadResilience

/// A rate per minute of one subject, and what of it is spent.
struct RateWindow: Sendable {
    var perMinute: Int
    var bucket: TokenBucket

    /// The window as it is known; a new one when there is none, or when the limit was changed.
    init(_ known: RateWindow?, _ perMinute: Int, _ now: MonotonicTime) {
        if let known, known.perMinute == perMinute {
            self = known
        } else {
            self.perMinute = perMinute
            bucket = TokenBucket(rate: Double(perMinute) / 60, burst: Double(perMinute), now: now)
        }
    }

    /// Shows the window that has the least left; at least one is given.
    static func decision(_ windows: [RateWindow], retryAfter: Duration?, _ now: MonotonicTime) -> LimitDecision {
        let left = windows.map { (window: $0, available: $0.bucket.available(now: now)) }
        guard let tightest = left.min(by: { $0.available < $1.available }) else {
            preconditionFailure("bug: a decision without limits")
        }
        let perMinute = tightest.window.perMinute
        let missing = max(0, Double(perMinute) - tightest.available)
        return LimitDecision(
            isAdmitted: retryAfter == nil, limit: perMinute,
            // A millionth of a request forgives the rounding of whole nanoseconds.
            remaining: max(0, Int(tightest.available + 0.000_001)),
            reset: .nanoseconds(Int64(min(missing * 60e9 / Double(perMinute), 9e18))), retryAfter: retryAfter ?? .zero)
    }
}
