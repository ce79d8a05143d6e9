import Synchronization

/// The exchange with the upstream that a call has under way, for whoever ends the call: its caller, a limit, an operator. A call
/// may have two, one behind the other.
final class CurrentUpstream: Sendable {
    private struct State {
        var exchange: UpstreamExchange?
        var isOver = false
    }

    private let state = Mutex(State())

    /// Takes the place of the exchange before; over at once when the call is.
    func begin(_ exchange: UpstreamExchange) {
        let isOver = state.withLock { state in
            state.exchange = exchange
            return state.isOver
        }
        if isOver { exchange.cancel() }
    }

    /// Ends the exchange, and every one that would follow; without effect when it has ended.
    func cancel() {
        let exchange = state.withLock { state in
            state.isOver = true
            return state.exchange.take()
        }
        exchange?.cancel()
    }
}
