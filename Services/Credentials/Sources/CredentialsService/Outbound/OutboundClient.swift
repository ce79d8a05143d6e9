import AsyncHTTPClient
import BulkheadServiceKit
import NIOCore
import NIOPosix
import NIOSSL

/// The process's HTTP client, with everything off that acts on its own: redirects, decompression, retries of connections.
/// HTTP/1.1 only: an exchange that is given up closes its connection, and no other.
///
/// A pooled connection that the upstream closed leaves the pool when the loop sees it. A request that was written in that
/// very moment fails with `upstream_error`: this process cannot know whether it was processed, so it is not sent again here.
package enum OutboundClient {
    /// Idle connections are closed after this long; most servers wait longer.
    private static let idle = TimeAmount.seconds(60)
    /// Connections to one host. Calls beyond it wait for one within their connect timeout.
    private static let connectionsPerHost = 16_384

    /// - Throws: `StartupFailure` when the file of certificate authorities cannot be used. Blocks on that file.
    package static func make(_ egress: EgressConfiguration) throws -> HTTPClient {
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
        configuration.http1_1ConnectionDebugInitializer = TailDelivery.add
        // The suite traces by its own events.
        configuration.tracing.tracer = nil
        return HTTPClient(eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: configuration)
    }
}
