import BulkheadCore

/// How one call is made.
package struct CallOptions: Sendable {
    /// The moment after which nobody waits for the answer. Travels with the call; a peer that wakes later drops it.
    package var deadline: MonotonicTime
    package var metadata: CallMetadata
    /// Executing the call twice does no harm: it may be retried once when the link was lost.
    package var isIdempotent: Bool
    /// Waits for a link that is connecting, at most this long and at most a fifth of the remaining time; zero fails fast.
    package var waitForReady: Duration

    /// - Parameters:
    ///   - deadline: mandatory; there is no call without one.
    ///   - waitForReady: 250 ms by default (a peer that restarts is usually back by then).
    package init(
        deadline: MonotonicTime, metadata: CallMetadata = CallMetadata(), isIdempotent: Bool = false,
        waitForReady: Duration = .milliseconds(250)
    ) {
        self.deadline = deadline
        self.metadata = metadata
        self.isIdempotent = isIdempotent
        self.waitForReady = waitForReady
    }
}
