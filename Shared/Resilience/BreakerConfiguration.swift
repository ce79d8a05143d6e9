extension CircuitBreaker {
    /// When a breaker opens and how it closes again.
    package struct Configuration: Sendable, Hashable {
        /// Consecutive failures that open it.
        package var failures: Int
        /// Share of failed calls in the window that opens it, 0…1.
        package var failureRatio: Double
        /// Share of slow calls in the window that opens it, 0…1; above 1: never.
        package var slowRatio: Double
        /// Calls in the window below which the ratios say nothing.
        package var minRequests: Int
        package var window: Duration
        /// The first cooldown; doubles with every opening that follows without a long closed time.
        package var openFor: Duration
        /// Every cooldown at most, jitter included.
        package var openForMax: Duration
        /// How far a cooldown may lie from its nominal length, as a share of it, 0…1.
        package var jitter: Double
        /// Closed for this long, the next cooldown is short again.
        package var calmAfter: Duration
        /// Good probes that close it. With at least three, every stage of the ramp (1, 3, 10 at once) is passed.
        package var halfOpenSuccesses: Int
        /// After this long a probe without a result no longer takes a place.
        package var probeLease: Duration

        /// A configuration; the defaults are those of a link.
        package init(
            failures: Int = 5, failureRatio: Double = 0.5, slowRatio: Double = 0.8, minRequests: Int = 20,
            window: Duration = .seconds(10), openFor: Duration = .milliseconds(500), openForMax: Duration = .seconds(30),
            jitter: Double = 0.2, calmAfter: Duration = .seconds(60), halfOpenSuccesses: Int = 3,
            probeLease: Duration = .seconds(10)
        ) {
            self.failures = failures
            self.failureRatio = failureRatio
            self.slowRatio = slowRatio
            self.minRequests = minRequests
            self.window = window
            self.openFor = openFor
            self.openForMax = openForMax
            self.jitter = jitter
            self.calmAfter = calmAfter
            self.halfOpenSuccesses = halfOpenSuccesses
            self.probeLease = probeLease
        }
    }
}
