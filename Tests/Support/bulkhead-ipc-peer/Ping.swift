import ArgumentParser
import BulkheadCore
import BulkheadIPC
import NIOCore

/// Calls, and says how long the calls took.
struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Call the echo method and print {p50_us, p99_us, calls_per_s}.")

    enum Handler: String, ExpressibleByArgument, CaseIterable {
        case immediate
        case task
        case hop

        var method: MethodDescriptor {
            switch self {
            case .immediate: Echo.immediate
            case .task: Echo.task
            case .hop: Echo.hop
            }
        }
    }

    @OptionGroup var to: LinkOptions
    @Option(help: "Calls to measure.") var count = 50_000
    @Option(help: "Bytes of request and of reply.") var size = 1024
    @Option(help: "Calls at once.") var inFlight = 1
    @Option(help: "How the peer answers: immediate, task, or task with a turn of the loop in it.") var handler = Handler.immediate

    func run() async throws {
        let link = to.link(caller: "ping")
        let message = ByteBuffer(repeating: 7, count: size)
        // Warms up memory, branch predictors and the connection.
        _ = try await measure(link, message, max(1, count / 10))
        let start = MonotonicTime.now()
        let took = try await measure(link, message, count)
        let seconds = (MonotonicTime.now() - start).milliseconds / 1000
        print(Measurement(nanoseconds: took, seconds: seconds).json)
        await link.close()
    }

    private func measure(_ link: IPCLink, _ message: ByteBuffer, _ count: Int) async throws -> [UInt64] {
        let method = handler.method
        return try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0 ..< inFlight {
                group.addTask { try await Self.calls(link, method, message, count / inFlight) }
            }
            var all: [UInt64] = []
            for try await part in group { all += part }
            return all
        }
    }

    private static func calls(_ link: IPCLink, _ method: MethodDescriptor, _ message: ByteBuffer, _ count: Int) async throws
        -> [UInt64]
    {
        var took: [UInt64] = []
        took.reserveCapacity(count)
        for _ in 0 ..< count {
            let start = MonotonicTime.now()
            let reply = try await link.unary(method, message, CallOptions(deadline: start + .seconds(5)))
            guard reply.readableBytes == message.readableBytes else { throw ValidationError("the reply has another length") }
            took.append(MonotonicTime.now().nanoseconds - start.nanoseconds)
        }
        return took
    }
}
