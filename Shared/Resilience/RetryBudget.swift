import BulkheadCore

/// Bounds retries to a share of the calls, so that a struggling peer does not get a multiple of its load.
///
/// Within any `life` (10 s) at most `ratio` of the calls of that time plus `perSecond · life` retries are granted; the
/// constant lets rare calls be retried too. Counted in ten buckets, like the breaker's window.
package struct RetryBudget: Sendable, Equatable {
    /// Retries allowed per call.
    package let ratio: Double
    /// Retries a second that are always allowed.
    package let perSecond: Double
    /// How long an unused allowance lasts.
    package let life: Duration
    private var window: OutcomeWindow

    /// - Parameters:
    ///   - ratio: retries per call.
    ///   - perSecond: retries granted whatever the number of calls.
    ///   - life: how long calls and retries are remembered.
    package init(ratio: Double = 0.1, perSecond: Double = 3, life: Duration = .seconds(10)) {
        self.ratio = ratio
        self.perSecond = perSecond
        self.life = life
        self.window = OutcomeWindow(length: life)
    }

    /// A first try was made.
    package mutating func deposit(now: MonotonicTime) { window.issue(now: now) }

    /// - Returns: true when a retry may be made; it is then counted.
    package mutating func withdraw(now: MonotonicTime) -> Bool {
        window.settle(now: now)
        let allowed = ratio * Double(window.sum.issued) + perSecond * life.milliseconds / 1000
        guard Double(window.sum.failed + 1) <= allowed else { return false }
        window.fail(now: now)
        return true
    }
}
