import ArgumentParser
import BulkheadCore
import BulkheadIPC
import NIOCore

/// A closed loop of unary calls after a warm-up on the same connection.
struct BenchCall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call a measured method; print {p50_us, p99_us, p999_us, count, seconds, cpu_us, switches} of this process.")

    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "Calls to measure.") var count = 20_000
    @Option(help: "Calls before the clock starts (default: a tenth of the count).") var warmup: Int?
    @Option(help: "Bytes of request and of reply.") var size = 1024
    @Option(help: "Calls at once.") var inFlight = 1
    @Flag(help: "Answered from an async handler instead of on the loop.") var task = false

    func run() async throws {
        let link = try await BenchEcho.link(socket)
        _ = try await measure(link, warmup ?? max(inFlight, count / 10))
        let usage = BenchUsage()
        let took = try await measure(link, count)
        print(BenchReport.calls(took, usage.spent()))
        await link.close()
    }

    private func measure(_ link: IPCLink, _ count: Int) async throws -> [UInt64] {
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0 ..< inFlight { group.addTask { try await calls(link, count / inFlight) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func calls(_ link: IPCLink, _ count: Int) async throws -> [UInt64] {
        let (method, message) = (task ? BenchEcho.task : BenchEcho.immediate, ByteBuffer(repeating: 7, count: size))
        var took: [UInt64] = []
        took.reserveCapacity(count)
        for _ in 0 ..< count {
            let start = MonotonicTime.now()
            let reply = try await link.unary(method, message, CallOptions(deadline: start + .seconds(5)))
            guard reply.readableBytes == size else { throw ValidationError("the reply has another length") }
            took.append(MonotonicTime.now().nanoseconds - start.nanoseconds)
        }
        return took
    }
}

/// One stream of many small messages from the server.
struct BenchStream: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receive a stream of messages; print {count, seconds, cpu_us, switches} of this process.")

    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "Messages to measure.") var count = 200_000
    @Option(help: "Messages before the clock starts (default: a tenth of the count).") var warmup: Int?
    @Option(help: "Bytes of a message.") var size = 64

    func run() async throws {
        let link = try await BenchEcho.link(socket)
        try await receive(link, warmup ?? count / 10)
        let usage = BenchUsage()
        try await receive(link, count)
        print(BenchReport.stream(count, usage.spent()))
        await link.close()
    }

    private func receive(_ link: IPCLink, _ count: Int) async throws {
        var request = ByteBuffer()
        request.writeInteger(UInt64(count), endianness: .little)
        request.writeRepeatingByte(7, count: size)
        let options = CallOptions(deadline: .now() + .seconds(120))
        let got = try await link.serverStream(BenchEcho.stream, request, options) { [size] reader in
            var got = 0
            while let message = try await reader.next() { got += message.readableBytes == size ? 1 : 0 }
            return got
        }
        guard got == count else { throw ValidationError("\(got) of \(count) messages arrived") }
    }
}
