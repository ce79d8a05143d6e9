import AsyncHTTPClient
import BulkheadServiceKit
import NIOCore
import NIOPosix
import NIOSSL

/// The process's way to HTTP, with everything off that acts on its own: redirects, decompression, retries of connections.
/// HTTP/1.1 only: an exchange that is given up closes its connection, and no other.
///
/// One loop serves all of it: calls, their connections, and what the HTTP client tells of both.
package final class OutboundClient: Sendable {
    /// Idle connections are closed after this long; most servers wait longer.
    private static let idle = TimeAmount.seconds(60)
    /// Connections to one host. Calls beyond it wait for one within their connect timeout.
    private static let connectionsPerHost = 16_384

    /// The loop of all connections. Calls are served on it.
    package let eventLoop: any EventLoop
    /// Keeps connections for further requests.
    let pooled: HTTPClient
    /// For requests that are to have a connection of their own.
    let fresh: HTTPClient
    let handover: ConnectionHandover

    private init(_ configuration: HTTPClient.Configuration) {
        let handover = ConnectionHandover()
        var configuration = configuration
        configuration.http1_1ConnectionDebugInitializer = { PooledConnection.add(to: $0, handover) }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.eventLoop = eventLoop
        self.handover = handover
        pooled = HTTPClient(eventLoopGroupProvider: .shared(eventLoop), configuration: configuration)
        fresh = HTTPClient(eventLoopGroupProvider: .shared(eventLoop), configuration: configuration)
    }

    /// - Throws: `StartupFailure` when the file of certificate authorities cannot be used. Blocks on that file.
    package static func make(_ egress: EgressConfiguration) throws -> OutboundClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let path = egress.caFile {
            do {
                tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
            } catch {
                throw StartupFailure(
                    "credentials.egress.ca_file: \(path) holds no PEM certificates or cannot be read", exitCode: 78)
            }
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(60)),
            connectionPool: .init(idleTimeout: idle, concurrentHTTP1ConnectionsPerHostSoftLimit: connectionsPerHost),
            proxy: egress.proxy.flatMap { url in url.effectivePort.map { .server(host: url.host, port: $0) } },
            decompression: .disabled)
        // A refused connection is the router's to retry, at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        // The suite traces by its own events.
        configuration.tracing.tracer = nil
        return OutboundClient(configuration)
    }

    /// Ends the connections.
    func shutdown() async throws {
        try await pooled.shutdown()
        try await fresh.shutdown()
    }
}
