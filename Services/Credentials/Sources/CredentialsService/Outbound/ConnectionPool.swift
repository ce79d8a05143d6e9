import BulkheadCore
import NIOCore

/// All connections of the process, by origin.
///
/// `@unchecked Sendable`: touched on its loop only.
final class ConnectionPool: @unchecked Sendable {
    /// Idle connections are closed after this long; most servers wait longer.
    private static let idle = TimeAmount.seconds(60)
    private static let sweep = TimeAmount.seconds(5)
    /// Connections to all origins, those being opened included.
    private static let maxConnections = 32_768

    let connector: Connector
    private let eventLoop: any EventLoop
    private var origins: [Origin: OriginConnections] = [:]
    private var count = 0
    private var sweeper: Scheduled<Void>?
    private var isStopping = false

    init(_ connector: Connector, _ eventLoop: any EventLoop) {
        self.connector = connector
        self.eventLoop = eventLoop
    }

    /// Sends the request, now or when there is a connection.
    func serve(_ exchange: UpstreamExchange, _ order: OutboundOrder) {
        guard !isStopping else { return exchange.giveUp(UpstreamFault.stopping) }
        guard !exchange.isOver else { return }
        if let connections = origins[order.origin] { return connections.serve(exchange, order) }
        let connections = OriginConnections(order.origin, self)
        origins[order.origin] = connections
        connections.serve(exchange, order)
    }

    /// The exchange is over and had no connection.
    func forget(_ exchange: UpstreamExchange) {
        for connections in origins.values { connections.forget(exchange) }
    }

    /// Whether there may be one more. At the bound an idle one makes room.
    func mayOpen() -> Bool {
        if count < Self.maxConnections { return true }
        for connections in origins.values { _ = connections.closeIdle(since: .distantFuture) }
        return count < Self.maxConnections
    }

    func opened() { count += 1 }

    func closed() { count -= 1 }

    /// There are connections to be closed one day.
    func hasIdle() {
        guard sweeper == nil, !isStopping else { return }
        sweeper = eventLoop.scheduleTask(in: Self.sweep) { self.closeOld() }
    }

    private func closeOld() {
        sweeper = nil
        var isIdle = false
        for (origin, connections) in origins {
            if connections.closeIdle(since: .now() - Self.idle) { isIdle = true }
            if connections.isEmpty { origins[origin] = nil }
        }
        if isIdle { hasIdle() }
    }

    /// Idle connections end now, others with their exchange.
    func shutdown() {
        isStopping = true
        sweeper?.cancel()
        for connections in origins.values { connections.shutdown() }
        connector.shutdown()
    }
}
