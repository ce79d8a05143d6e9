public import NIOCore

extension EventLoop {
    /// Suspends the task for `duration` without leaving the loop's thread (`Task.sleep` would resume on a Dispatch thread).
    /// - Throws: `CancellationError` at once when the task is cancelled.
    package func sleep(_ duration: Duration) async throws { fatalError("pending") }
}
