import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc

/// `serve SOCKET`, `call SOCKET`, `stream SOCKET`; `--no-coalescing` on both ends passes every flush on at once.
@main
enum Main {
    static func main() async throws {
        let options = Options(CommandLine.arguments)
        switch options.verb {
        case "serve": try await serve(options)
        case "call": try await withClient(options) { try await Calls(client: $0, options: options).run() }
        case "stream": try await withClient(options) { try await Stream(client: $0, options: options).run() }
        default:
            print("usage: grpc-swift-peer serve|call|stream SOCKET [--count N] [--size N] [--in-flight N] [--no-coalescing]")
            exit(64)
        }
    }

    private static func serve(_ options: Options) async throws {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        if !options.coalesces { config.connection.flushCoalescing = nil }
        let server = GRPCServer(
            transport: HTTP2ServerTransport.Posix(
                address: .unixDomainSocket(path: options.socket), transportSecurity: .plaintext, config: config),
            services: [Echo()])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            _ = try await server.listeningAddress
            print("ready")
            fflush(nil)
            try await group.waitForAll()
        }
    }

    private static func withClient(
        _ options: Options, _ body: @Sendable @escaping (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Void
    ) async throws {
        var config = HTTP2ClientTransport.Posix.Config.defaults
        if !options.coalesces { config.connection.flushCoalescing = nil }
        let transport = try HTTP2ClientTransport.Posix(
            target: .unixDomainSocket(path: options.socket), transportSecurity: .plaintext, config: config)
        try await withGRPCClient(transport: transport) { try await body($0) }
    }
}
