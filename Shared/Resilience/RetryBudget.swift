import BulkheadCore

/// Bounds retries to a share of the calls, so that a struggling peer does not get a multiple of its load.
///
/// In the `life` (10 s) before any moment there are at most `ratio` times its calls plus `perSecond · life` retries; the
/// constant lets rare calls be retried too. Calls and retries are counted in buckets of a tenth of `life`: calls in at most
/// the last `life`, retries in at least the last `life`, so that the bound is exact wherever a bucket begins.
package struct RetryBudget: Sendable, Hashable {
    /// Retries allowed per call.
    package let ratio: Double
    /// Retries a second that are always allowed.
    package let perSecond: Double
    /// How long an unused allowance lasts.
    package let life: Duration
    private var calls: OutcomeWindow
    private var retries: OutcomeWindow

    /// - Parameters:
    ///   - ratio: retries per call.
    ///   - perSecond: retries granted whatever the number of calls.
    ///   - life: how long calls and retries are remembered.
    package init(ratio: Double = 0.1, perSecond: Double = 3, life: Duration = .seconds(10)) {
        self.ratio = ratio
        self.perSecond = perSecond
        self.life = life
        self.calls = OutcomeWindow(bucket: life / 10, count: 10)
        self.retries = OutcomeWindow(bucket: life / 10, count: 11)
    }

    /// A first try was made.
    package mutating func deposit(now: MonotonicTime) {
        settle(now)
        calls.add(.init(issued: 1))
    }

    /// - Returns: true when a retry may be made; it is then counted.
    package mutating func withdraw(now: MonotonicTime) -> Bool {
        settle(now)
        let allowed = ratio * Double(calls.sum.issued) + perSecond * life.milliseconds / 1000
        guard Double(retries.sum.issued + 1) <= allowed else { return false }
        retries.add(.init(issued: 1))
        return true
    }

    private mutating func settle(_ now: MonotonicTime) {
        calls.settle(now: now)
        retries.settle(now: now)
    }
}
