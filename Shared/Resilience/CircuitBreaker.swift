public import BulkheadCore

/// Placeholder of the pure state machine; see the issue.
package struct CircuitBreaker: Sendable {
    /// When a breaker opens and how it closes again.
    package struct Configuration: Sendable, Equatable {
        /// Consecutive failures that open it.
        package var failures: Int
        /// Share of failed calls in the window that opens it, 0…1.
        package var failureRatio: Double
        /// Calls in the window below which the ratio says nothing.
        package var minRequests: Int
        package var window: Duration
        /// The first cooldown; doubles with every failed probe, with jitter.
        package var openFor: Duration
        package var openForMax: Duration
        /// Good probes that close it.
        package var halfOpenSuccesses: Int

        package init(
            failures: Int = 5, failureRatio: Double = 0.5, minRequests: Int = 20, window: Duration = .seconds(10),
            openFor: Duration = .milliseconds(500), openForMax: Duration = .seconds(30), halfOpenSuccesses: Int = 2
        ) {
            self.failures = failures
            self.failureRatio = failureRatio
            self.minRequests = minRequests
            self.window = window
            self.openFor = openFor
            self.openForMax = openForMax
            self.halfOpenSuccesses = halfOpenSuccesses
        }
    }
}
