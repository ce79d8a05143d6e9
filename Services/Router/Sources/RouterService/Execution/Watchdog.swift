import BulkheadCore
import NIOCore
import Synchronization

// States: idle (no exchange runs yet) → watching → expired or finished. While it is watching, `due` moves on with every sign of
// life; the timer is not moved: when it fires early it is set again for the rest. Paused, it does not expire.

/// Ends an exchange that shows no life for too long, by giving up its stream: whoever waits on it gets CANCELLED.
///
/// One timer for all of an exchange, nothing per message, no task of its own.
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
        var stop: (@Sendable () -> Void)?
    }

    private let eventLoop: any EventLoop
    private let state: Mutex<State>

    /// - Parameter limit: the longest time without a sign of life, from now.
    package init(eventLoop: any EventLoop, limit: Duration) {
        self.eventLoop = eventLoop
        state = Mutex(State(limit: limit, due: .now() + limit))
    }

    /// The time ran out, and the exchange was given up for it.
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

    /// The exchange runs. - Parameter stop: gives it up; called at most once, on the event loop.
    package func begin(_ stop: @escaping @Sendable () -> Void) {
        state.withLock { state in
            guard state.phase == .idle else { return }
            state.phase = .watching
            state.stop = stop
        }
        arm()
    }

    /// The exchange is over.
    package func finish() {
        let timer = state.withLock { state in
            if state.phase != .expired { state.phase = .finished }
            state.stop = nil
            return state.timer.take()
        }
        timer?.cancel()
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
        let (stop, isEarly) = state.withLock { state -> ((@Sendable () -> Void)?, Bool) in
            guard state.phase == .watching else { return (nil, false) }
            if state.isPaused { state.due = .now() + state.limit }
            guard state.due <= .now() else { return (nil, true) }
            state.phase = .expired
            state.timer = nil
            return (state.stop.take(), false)
        }
        if isEarly { arm() }
        stop?()
    }
}
