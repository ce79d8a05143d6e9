import BulkheadCore
import NIOCore
import Synchronization

// States: idle (no body runs yet) → watching → expired or finished. While it is watching, `due` moves on with every sign of
// life; the timer is not moved: when it fires early it is set again for the rest. Paused, it does not expire.

/// Ends a piece of work that shows no life for too long, by cancelling the task it runs in.
///
/// One child task and one timer for all of an exchange, nothing per message.
package final class Watchdog: Sendable {
    private enum Phase: Equatable {
        case idle
        case watching
        case expired
        case finished
    }

    private struct State {
        var phase = Phase.idle
        var limit: Duration
        var due: MonotonicTime
        var isPaused = false
        var timer: Scheduled<Void>?
        var waiter: CheckedContinuation<Bool, Never>?
    }

    private let eventLoop: any EventLoop
    private let state: Mutex<State>

    /// - Parameter limit: the longest time without a sign of life, from now.
    package init(eventLoop: any EventLoop, limit: Duration) {
        self.eventLoop = eventLoop
        state = Mutex(State(limit: limit, due: .now() + limit))
    }

    /// The time ran out, and the work was cancelled for it.
    package var hasExpired: Bool { state.withLock { $0.phase == .expired } }

    /// The limit that holds now.
    package var limit: Duration { state.withLock { $0.limit } }

    /// A sign of life; from here on `limit` holds, if given.
    package func touch(limit: Duration? = nil) {
        let shorter = state.withLock { state in
            let before = state.due
            if let limit { state.limit = limit }
            state.due = .now() + state.limit
            return state.due < before
        }
        // The timer stands at a later time than the new limit.
        if shorter { arm() }
    }

    /// What happens while paused takes no time: waiting for a slow caller is not the provider's silence.
    package func pause() { state.withLock { $0.isPaused = true } }

    /// Ends a pause; counts as a sign of life.
    package func resume() {
        state.withLock { $0.isPaused = false }
        touch()
    }

    /// Runs `body` in a child task, which is cancelled when the time runs out. Ends only after `body` has.
    package func guarding<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
        await withTaskGroup(of: Value.self) { group in
            group.addTask {
                let value = await body()
                self.finish()
                return value
            }
            if await isOverdue() { group.cancelAll() }
            guard let value = await group.next() else { preconditionFailure("bug: the guarded task gave no value") }
            return value
        }
    }

    /// Waits for the end of the work (false) or of its time (true).
    private func isOverdue() async -> Bool {
        await withCheckedContinuation { continuation in
            let isFinished = state.withLock { state in
                guard state.phase == .idle else { return true }
                state.phase = .watching
                state.waiter = continuation
                return false
            }
            if isFinished { return continuation.resume(returning: false) }
            arm()
        }
    }

    private func finish() {
        let (timer, waiter) = state.withLock { state in
            if state.phase != .expired { state.phase = .finished }
            return (state.timer.take(), state.waiter.take())
        }
        timer?.cancel()
        waiter?.resume(returning: false)
    }

    private func arm() {
        state.withLock { state in
            guard state.phase == .watching else { return }
            state.timer?.cancel()
            let wait = max(.zero, state.due - .now())
            state.timer = eventLoop.scheduleTask(in: .nanoseconds(wait.nanosecondsClamped)) { self.fire() }
        }
    }

    private func fire() {
        let (waiter, isEarly) = state.withLock { state -> (CheckedContinuation<Bool, Never>?, Bool) in
            guard state.phase == .watching else { return (nil, false) }
            if state.isPaused { state.due = .now() + state.limit }
            guard state.due <= .now() else { return (nil, true) }
            state.phase = .expired
            state.timer = nil
            return (state.waiter.take(), false)
        }
        if isEarly { arm() }
        waiter?.resume(returning: true)
    }
}
