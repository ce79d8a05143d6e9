import BulkheadCore
import DequeModule
import NIOCore

/// The connections to one origin: those that wait for a request, and exchanges that wait for a connection.
///
/// The one used last is used next, so that the others may grow old and be closed. Every waiting exchange has a connection under
/// way, but for two cases: the bound on connections, and TLS as long as it is not known which HTTP the other side speaks (one
/// HTTP/2 connection would serve them all).
///
/// `@unchecked Sendable`: touched on its loop only.
final class OriginConnections: @unchecked Sendable {
    /// Connections to one origin. Calls beyond it wait for one within their connect timeout.
    static let maxConnections = 16_384
    /// Exchanges that may wait.
    static let maxWaiting = 16_384

    private enum Version {
        case unknown, http1, http2
    }

    let origin: Origin
    private unowned let all: ConnectionPool
    private var idle: [HTTP1Connection] = []
    private var multiplexed: [HTTP2Connection] = []
    private var waiting: Deque<(exchange: UpstreamExchange, order: OutboundOrder)> = []
    private var connecting = 0
    private var open = 0
    private var version: Version

    init(_ origin: Origin, _ all: ConnectionPool) {
        self.origin = origin
        self.all = all
        version = origin.isTLS ? .unknown : .http1
    }

    /// Whether nothing of it is left.
    var isEmpty: Bool { connecting == 0 && open == 0 && waiting.isEmpty }

    /// Sends the request on a connection, now or when there is one.
    func serve(_ exchange: UpstreamExchange, _ order: OutboundOrder) {
        guard !order.isRepeat else {
            exchange.waits(order.connectTimeout)
            return connect(order.connectTimeout, own: (exchange, order))
        }
        if let connection = multiplexed.last(where: \.hasRoom) { return connection.serve(exchange, order) }
        while let connection = idle.popLast() {
            if connection.isUsable { return connection.serve(exchange, order) }
        }
        guard waiting.count < Self.maxWaiting else { return exchange.giveUp(Self.full(origin)) }
        exchange.waits(order.connectTimeout)
        waiting.append((exchange, order))
        connectMore()
    }

    static func full(_ origin: Origin) -> CallError {
        CallError(
            .resourceExhausted, reason: "rate_limited", message: "\(maxWaiting) calls wait for a connection to \(origin.place)",
            retryAfter: .seconds(1), notProcessed: true)
    }

    /// The exchange is over. Times run out in the order of the queue, so it is found at the front.
    func forget(_ exchange: UpstreamExchange) {
        if let index = waiting.firstIndex(where: { $0.exchange === exchange }) { waiting.remove(at: index) }
    }

    /// A connection has served its request.
    func release(_ connection: HTTP1Connection) {
        guard let next = nextWaiting() else {
            idle.append(connection)
            return all.hasIdle()
        }
        connection.serve(next.exchange, next.order)
    }

    /// A connection of HTTP/2 has room again.
    func hasRoom(_ connection: HTTP2Connection) {
        while connection.hasRoom, let next = nextWaiting() { connection.serve(next.exchange, next.order) }
    }

    func remove(_ connection: HTTP1Connection) {
        idle.removeAll { $0 === connection }
        closed()
    }

    func remove(_ connection: HTTP2Connection) {
        multiplexed.removeAll { $0 === connection }
        closed()
    }

    private func closed() {
        open -= 1
        all.closed()
        connectMore()
    }

    /// Closes what is idle since before `time`. - Returns: whether something idle is left.
    func closeIdle(since time: NIODeadline) -> Bool {
        let old = idle.prefix { $0.idleSince < time }
        idle.removeFirst(old.count)
        for connection in old { connection.close() }
        for connection in multiplexed where connection.idleSince.map({ $0 < time }) ?? false { connection.close() }
        return !idle.isEmpty || !multiplexed.isEmpty
    }

    /// Ends everything.
    func shutdown() {
        for connection in idle { connection.close() }
        for connection in multiplexed { connection.close() }
        while let next = waiting.popFirst() { next.exchange.giveUp(UpstreamFault.stopping) }
    }

    private func nextWaiting() -> (exchange: UpstreamExchange, order: OutboundOrder)? {
        while let next = waiting.popFirst() {
            if !next.exchange.isOver { return next }
        }
        return nil
    }

    private func connectMore() {
        // Known to be HTTP/1.1: a connection for each. Else one shows. An attempt may be over before the next begins.
        while let first = waiting.first, connecting < (version == .http1 ? waiting.count : 1),
            open + connecting < Self.maxConnections, all.mayOpen()
        {
            connect(first.order.connectTimeout, own: nil)
        }
    }

    private func connect(_ timeout: Duration, own: (exchange: UpstreamExchange, order: OutboundOrder)?) {
        connecting += 1
        all.opened()
        all.connector.connect(to: self, within: timeout).assumeIsolated().whenComplete { result in
            self.connecting -= 1
            self.open += 1
            switch result {
            case .success(.http1(let connection)): self.connected(connection, own)
            case .success(.http2(let connection)): self.connected(connection, own)
            case .failure(let error): self.failed(error, own)
            }
        }
    }

    private func connected(_ connection: HTTP1Connection, _ own: (exchange: UpstreamExchange, order: OutboundOrder)?) {
        version = .http1
        guard let own else {
            release(connection)
            return connectMore()
        }
        if own.exchange.isOver { connection.close() } else { connection.serve(own.exchange, own.order) }
    }

    private func connected(_ connection: HTTP2Connection, _ own: (exchange: UpstreamExchange, order: OutboundOrder)?) {
        version = .http2
        multiplexed.append(connection)
        all.hasIdle()
        if let own, !own.exchange.isOver { connection.serve(own.exchange, own.order) }
        hasRoom(connection)
        connectMore()
    }

    private func failed(_ error: any Error, _ own: (exchange: UpstreamExchange, order: OutboundOrder)?) {
        open -= 1
        all.closed()
        if let own { return own.exchange.fail(error) }
        // Those that waited for this attempt.
        let failing = max(1, version == .http1 && open + connecting >= Self.maxConnections ? 1 : waiting.count - connecting)
        for _ in 0 ..< failing { nextWaiting()?.exchange.fail(error) }
    }
}
