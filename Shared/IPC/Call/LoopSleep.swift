import NIOCore

extension EventLoop {
    /// Suspends the task for `duration` without leaving the loop's thread (`Task.sleep` would resume on a Dispatch thread).
    /// - Throws: `CancellationError` at once when the task is cancelled.
    package func sleep(_ duration: Duration) async throws {
        let sleeper = LoopSleeper()
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.run { sleeper.start(continuation, duration, self) }
            }
        } onCancel: {
            self.execute { sleeper.cancel() }
        }
    }
}

/// One sleep. `@unchecked Sendable`: touched on the event loop only.
private final class LoopSleeper: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Void, any Error>?
    private var timer: Scheduled<Void>?
    private var isCancelled = false

    func start(_ continuation: UnsafeContinuation<Void, any Error>, _ duration: Duration, _ loop: any EventLoop) {
        if isCancelled { return continuation.resume(throwing: CancellationError()) }
        self.continuation = continuation
        timer = loop.scheduleTask(in: TimeAmount(duration)) { self.wake() }
    }

    func cancel() {
        isCancelled = true
        timer?.cancel()
        continuation.take()?.resume(throwing: CancellationError())
    }

    private func wake() { continuation.take()?.resume() }
}
