import ArgumentParser
import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore

/// The methods that are measured against other systems.
enum BenchEcho {
    static let immediate = MethodDescriptor(name: "Bench.Immediate", shape: .unary, requestHash: 1, responseHash: 1)
    static let task = MethodDescriptor(name: "Bench.Task", shape: .unary, requestHash: 2, responseHash: 2)
    static let stream = MethodDescriptor(name: "Bench.Stream", shape: .serverStream, requestHash: 3, responseHash: 3)

    static let schema = ServiceSchema(name: "Bench", fingerprint: "bench", methods: [immediate, task, stream])

    static let methods = [
        ServerMethod(immediate, .immediate { message, _ in .success(message) }),
        ServerMethod(task, .unary { message, _ in message }),
        ServerMethod(stream, .stream { reader, _, writer in try await repeated(reader, writer) }),
    ]

    /// A link that has answered once; the machine may be so busy that connecting takes longer than a call waits for it.
    static func link(_ socket: String) async throws -> IPCLink {
        let link = IPCLink(
            configuration: LinkConfiguration(peer: "bench", caller: "bench", socketPath: socket, schemas: [schema]),
            eventLoop: Echo.loop)
        _ = try await link.unary(immediate, ByteBuffer(), CallOptions(deadline: .now() + .seconds(30), waitForReady: .seconds(6)))
        return link
    }

    /// The request is the number of messages, eight bytes little-endian, and one message to repeat.
    private static func repeated(_ reader: MessageReader, _ writer: MessageWriter) async throws {
        guard var request = try await reader.next(), let count = request.readInteger(endianness: .little, as: UInt64.self) else {
            throw CallError(.invalidArgument, message: "the request has no number of messages")
        }
        for _ in 0 ..< count { try await writer.write(request) }
    }
}

struct BenchServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the measured methods on SOCKET until killed.")

    @Argument(help: "Path of the socket; its directory must be this user's.") var socket: String

    func run() async throws {
        let server = try await IPCServer.start(
            ServerConfiguration(
                service: "bench", socketPath: socket, allowedUIDs: [geteuid()], methods: BenchEcho.methods,
                schemas: [BenchEcho.schema]),
            eventLoop: Echo.loop)
        server.setHealth(PeerHealth(state: .ready))
        print("ready")
        fflush(nil)
        try await Echo.loop.sleep(.seconds(365 * 86400))
        withExtendedLifetime(server) {}
    }
}
