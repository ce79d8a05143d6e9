import BulkheadCore
import NIOCore
import Synchronization

/// Ends an exchange that takes longer than its destination allows: as a whole, or in the silence of its upstream.
///
/// The upstream counts as silent only while it has the whole request and its next word is waited for: a caller that is slow to
/// send or to read costs it nothing. Looks again when the earliest limit can be reached, so a busy exchange costs no timers.
final class ExchangeWatch: Sendable {
    private struct State {
        /// When the wait for the upstream's next word began; nil while nobody waits.
        var waitsSince: MonotonicTime?
        var hasRequest = false
        var expired: CallError?
        var timer: Scheduled<Void>?
        var isOver = false
    }

    private let total: Duration?
    private let idle: Duration?
    private let place: String
    private let began: MonotonicTime
    private let cancel: @Sendable () -> Void
    private let loop: any EventLoop
    private let state = Mutex(State())

    /// nil when the destination has neither limit.
    /// - Parameter cancel: ends the exchange.
    init?(_ destination: Destination, loop: any EventLoop, cancel: @escaping @Sendable () -> Void) {
        let limits = destination.configuration.limits
        guard limits.total != nil || limits.idle != nil else { return nil }
        (total, idle) = (limits.total, limits.idle)
        place = destination.place
        began = .now()
        self.cancel = cancel
        self.loop = loop
        schedule(in: min(limits.total ?? .seconds(Int64.max), limits.idle ?? .seconds(Int64.max)))
    }

    /// The next word is waited for from now on, or not any more.
    func waits(_ isWaiting: Bool) { state.withLock { $0.waitsSince = isWaiting ? .now() : nil } }

    /// The upstream has the whole request.
    func sent() {
        state.withLock { state in
            state.hasRequest = true
            if state.waitsSince != nil { state.waitsSince = .now() }
        }
    }

    /// The exchange is over. - Returns: which limit ended it, if one did.
    @discardableResult
    func end() -> CallError? {
        state.withLock { state in
            state.isOver = true
            state.timer?.cancel()
            state.timer = nil
            return state.expired
        }
    }

    private func schedule(in delay: Duration) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.timer = loop.scheduleTask(in: TimeAmount(delay)) { self.look() }
        }
    }

    private func look() {
        let now = MonotonicTime.now()
        if let total, now - began >= total {
            return expire("total", "did not end within the \(Int(total.milliseconds)) ms")
        }
        var next = total.map { $0 - (now - began) } ?? .seconds(Int64.max)
        if let idle {
            let (since, hasRequest) = state.withLock { ($0.waitsSince, $0.hasRequest) }
            let silence = hasRequest ? since.map { now - $0 } ?? .zero : .zero
            if silence >= idle { return expire("idle", "was silent for the \(Int(idle.milliseconds)) ms") }
            next = min(next, idle - silence)
        }
        schedule(in: next)
    }

    private func expire(_ limit: String, _ what: String) {
        let error = CallError(
            .deadlineExceeded, reason: "upstream_timeout", message: "\(place) \(what) that `limits.\(limit)` allows")
        state.withLock { $0.expired = error }
        cancel()
    }
}
