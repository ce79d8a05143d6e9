import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// The listening socket and the pipeline of each connection.
struct DemoServer {
    private let channel: any Channel

    init(provider: Provider, group: MultiThreadedEventLoopGroup, address: ListenAddress) throws {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(provider: provider))
                }
            }
        do {
            channel = try bootstrap.bind(host: address.host, port: address.port).wait()
        } catch {
            throw ListenFailure(
                description: "cannot listen on \(address.host):\(address.port) (is another process there?): \(error)")
        }
    }

    /// Prints the one line that scripts wait for.
    func announce() {
        guard let address = channel.localAddress, let port = address.port else { return }
        let host = address.ipAddress ?? "localhost"
        let shown = address.protocol == .inet6 ? "[\(host)]" : host
        let line = Array("bulkhead-demo-provider: listening on http://\(shown):\(port)\n".utf8)
        // A reader that is gone is no reason to stop.
        _ = write(STDOUT_FILENO, line, line.count)
    }

    func close() throws { try channel.close().wait() }
}

/// Why the provider cannot listen, with the address.
struct ListenFailure: Error, CustomStringConvertible {
    let description: String
}
