import Synchronization

/// What the outside asks of a running process, in order, read by one waiter. Asking is safe from any thread.
final class StopPromise: Sendable {
    enum Request: Sendable {
        /// Drain and end; with a reason when something failed.
        case stop(String?)
        case reload
    }

    private struct State {
        var stop: Request?
        var reload = false
        var waiter: CheckedContinuation<Request, Never>?
    }

    private let state = Mutex(State())

    func stop(_ failure: String?) {
        resume { state in
            if state.stop == nil { state.stop = .stop(failure) }
        }
    }

    func reload() { resume { $0.reload = true } }

    /// The next request; a stop comes before a reload, several reloads count as one.
    func wait() async -> Request {
        await withCheckedContinuation { continuation in
            resume { $0.waiter = continuation }
        }
    }

    private func resume(_ change: (inout State) -> Void) {
        let action = state.withLock { state -> (CheckedContinuation<Request, Never>, Request)? in
            change(&state)
            guard let waiter = state.waiter else { return nil }
            if let stop = state.stop {
                state.waiter = nil
                return (waiter, stop)
            }
            guard state.reload else { return nil }
            state.reload = false
            state.waiter = nil
            return (waiter, .reload)
        }
        if let (waiter, request) = action { waiter.resume(returning: request) }
    }
}
