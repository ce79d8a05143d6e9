import ArgumentParser
import BulkheadCore
import BulkheadIPC
import NIOCore
import Synchronization

/// What a server has executed, told to whoever asks.
final class Tally: Sendable {
    /// Calls whose handler began.
    private let executed = Atomic<Int>(0)
    /// Those of them whose deadline had passed by then: there must be none.
    private let expired = Atomic<Int>(0)

    func count(_ call: ServerCall) {
        executed.add(1, ordering: .relaxed)
        if call.deadline <= .now() { expired.add(1, ordering: .relaxed) }
    }

    var json: String {
        #"{"executed":\#(executed.load(ordering: .relaxed)),"expired":\#(expired.load(ordering: .relaxed))}"#
    }
}

struct Count: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print what a server has executed as {executed, expired}.")

    @Argument(help: "Path of the socket.") var socket: String

    func run() async throws {
        let link = IPCLink(
            configuration: LinkConfiguration(peer: "echo", caller: "count", socketPath: socket, schemas: [Echo.schema]),
            eventLoop: Echo.loop)
        let reply = try await link.unary(Echo.tally, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
        print(String(buffer: reply))
        await link.close()
    }
}
