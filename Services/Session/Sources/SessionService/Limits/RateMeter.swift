// The arithmetic of all limits, once. It is done in doubles and in the order written here; `LimitFunctions` does the same in
// Redis, so that both decide alike. Times are whole microseconds, below 2^53 until the year 2255.
//
// A rate of `most` units in `window` is GCRA in its continuous-state form (ITU-T I.371): what was taken leaks away.
//     level(now) = max(0, spent - max(0, now - at) * most / window)
//     admitted   = level + cost <= most * 1.000000001    (a billionth forgives the rounding of the leak)
//     wait       = max(1, ceil((level + cost - most) * window / most))
//     remaining  = floor(max(0, most - level) + 0.000001)
//     reset      = ceil(level * window / most)
//     tripped    = level + 1 <= most * 1.000000001 ? level : 2 * most - 1    (the guard against runaways, when a call has run)
// A level is stored only by who takes or gives back: looking twice must not round twice.

/// So many units in so many microseconds.
struct Rate: Sendable, Equatable {
    /// At least 1.
    var most: Double
    var window: Double

    static let minute = 60_000_000.0

    func fits(_ level: Double) -> Bool { level <= most * 1.000000001 }
    func wait(_ level: Double) -> Double { max(1, ((level - most) * window / most).rounded(.up)) }
    func reset(_ level: Double) -> Double { (level * window / most).rounded(.up) }
    /// The level of calls that are nearly the same, after one of them ran. When no further one fits they are refused for a whole
    /// window: what is added leaks away in just that time.
    func tripped(_ level: Double) -> Double { fits(level + 1) ? level : most + most - 1 }
    func remaining(_ level: Double) -> Double { (max(0, most - level) + 0.000001).rounded(.down) }
}

/// What of a rate is taken.
struct RateMeter: Sendable, Equatable {
    var spent = 0.0
    var at = 0.0

    func level(_ rate: Rate, _ now: Double) -> Double { max(0, spent - max(0, now - at) * rate.most / rate.window) }
}

/// Tokens of a subject: a rate, and how far its requests exceed their estimates.
struct TokenMeter: Sendable, Equatable {
    var meter = RateMeter()
    /// Later requests reserve so much more than estimated.
    var excess = 1.0

    static let mostExcess = 16.0
    /// A debt of a year is as good as more.
    static let mostDebt = 525_600.0

    /// What a request of `tokens`, `assumed` of them declared by nobody, reserves. Who takes what is left leaves nothing for a
    /// parallel request, so that at most one exceeds the limit.
    func cost(_ tokens: Double, _ assumed: Double, _ rate: Rate, _ level: Double) -> Double {
        let whole = min(rate.most, tokens * excess)
        let declared = min(whole, max(0, tokens - assumed) * excess)
        let left = (rate.most - level).rounded(.down)
        return whole > 0 ? min(whole, max(declared, left, 1)) : 0
    }

    /// Charges what was used in place of what was reserved.
    mutating func settle(used: Double, reserved: Double, estimate: Double, _ rate: Rate, _ now: Double) {
        let level = meter.level(rate, now)
        let more = used - reserved
        meter = RateMeter(
            spent: more > 0 ? min(level + more, rate.most * Self.mostDebt) : max(0, level + more), at: now)
        if used > 0 { learn(used / max(1, estimate)) }
    }

    /// Follows a request that cost more than estimated at once, and less so slowly.
    private mutating func learn(_ ratio: Double) {
        excess = ratio > excess ? min(ratio, Self.mostExcess) : max(1, excess * 0.9 + ratio * 0.1)
    }
}
