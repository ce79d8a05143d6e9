/// Waiting times between tries: exponential, with equal jitter (half fixed, half random), so that clients that failed
/// together do not come back together.
package struct Backoff: Sendable, Equatable {
    /// The first wait at most.
    package let base: Duration
    /// Every wait at most.
    package let limit: Duration
    /// Waits handed out since the last reset.
    package private(set) var attempts = 0
    private var jitter: SplitMix64

    /// - Parameter seed: give every user its own.
    package init(base: Duration, limit: Duration, seed: UInt64) {
        self.base = base
        self.limit = limit
        self.jitter = SplitMix64(seed: seed)
    }

    /// The next wait: between half of and all of `min(limit, base · 2^attempts)`.
    package mutating func next() -> Duration {
        let full = min(limit, base * Double(1 << min(attempts, 40)))
        attempts += 1
        return full * (0.5 + 0.5 * jitter.unit())
    }

    /// Success: the next wait is short again.
    package mutating func reset() { attempts = 0 }
}
