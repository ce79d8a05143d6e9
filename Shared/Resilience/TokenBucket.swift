import BulkheadCore

/// A rate limit as GCRA: one point in time instead of a counter and a timer. Exact, and cheap to store.
/// Source: ITU-T I.371, the "virtual scheduling" form.
package struct TokenBucket: Sendable, Equatable {
    /// Time that one token takes to come back, in nanoseconds.
    private let interval: Double
    /// How far ahead of now the bucket may be booked, in nanoseconds: `burst` tokens.
    private let tolerance: Double
    /// The time at which the bucket would be full again.
    private var fullAt: MonotonicTime

    /// - Parameters:
    ///   - rate: tokens per second, above zero.
    ///   - burst: tokens that may be taken at once, at least 1.
    package init(rate: Double, burst: Double, now: MonotonicTime) {
        precondition(rate > 0 && burst >= 1, "bug: token bucket of rate \(rate) and burst \(burst)")
        interval = 1_000_000_000 / rate
        tolerance = interval * burst
        fullAt = now
    }

    /// Takes `tokens`, or says when they will be there; nil: taken. More than `burst` can never be taken: `.seconds(.max)`.
    package mutating func take(_ tokens: Double = 1, now: MonotonicTime) -> Duration? {
        let cost = interval * tokens
        guard cost <= tolerance else { return .seconds(Int64.max) }
        let booked = max(fullAt, now)
        let ahead = Double((booked - now).nanosecondsClamped) + cost
        guard ahead <= tolerance else { return .nanoseconds(Int64((ahead - tolerance).rounded(.up))) }
        fullAt = booked + .nanoseconds(Int64(cost))
        return nil
    }

    /// Gives tokens back, e.g. of a reservation that was too large.
    package mutating func giveBack(_ tokens: Double, now: MonotonicTime) {
        fullAt = max(now, fullAt + .nanoseconds(-Int64(interval * tokens)))
    }

    /// Takes tokens that were used already, whatever is there: the bucket may come to owe some.
    package mutating func charge(_ tokens: Double, now: MonotonicTime) {
        // A year of debt is as good as more, and cannot overflow.
        fullAt = max(fullAt, now) + .nanoseconds(Int64(min(interval * max(0, tokens), 3.2e16)))
    }

    /// Tokens that could be taken now.
    package func available(now: MonotonicTime) -> Double {
        (tolerance - Double((max(fullAt, now) - now).nanosecondsClamped)) / interval
    }
}
