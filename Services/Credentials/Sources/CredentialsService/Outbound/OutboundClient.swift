import BulkheadServiceKit
import NIOCore
import NIOPosix

/// The process's way to HTTP. Nothing acts on its own here: no redirects, cookies, decompression, upgrades, other protocols'
/// hints; what an answer says is passed on and not followed.
///
/// One loop serves all of it: calls, their connections, and what is told of both.
package final class OutboundClient: Sendable {
    /// The loop of all connections. Calls are served on it.
    package let eventLoop: any EventLoop
    /// On the loop only.
    let connections: ConnectionPool

    init(_ connector: Connector, _ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        connections = ConnectionPool(connector, eventLoop)
    }

    /// - Parameters:
    ///   - lookup: in place of the system's resolver.
    ///   - keeps: how long an answer of it is used.
    ///   - peer: in place of the kernel's word on who is at the other end of a connection.
    /// - Throws: `StartupFailure` when the file of certificate authorities cannot be used. Blocks on that file.
    package static func make(
        _ egress: EgressConfiguration, lookup: HostLookup? = nil, keeps: Duration = .seconds(10),
        peer: @escaping @Sendable (any Channel) -> SocketAddress? = { $0.remoteAddress }
    ) throws -> OutboundClient {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let trust = try TrustSettings(caFile: egress.caFile)
        let resolver = HostResolver(eventLoop, keeps: TimeAmount(keeps), lookup: lookup ?? HostResolver.system)
        return OutboundClient(Connector(eventLoop, trust, resolver, proxy: egress.proxy, peer: peer), eventLoop)
    }

    /// What the proxy is shown from now on.
    package func use(_ access: ProxyAccess) { connections.connector.access.withLock { $0 = access } }

    /// Ends the connections.
    func shutdown() async throws {
        try await eventLoop.submit { self.connections.shutdown() }.get()
    }
}
