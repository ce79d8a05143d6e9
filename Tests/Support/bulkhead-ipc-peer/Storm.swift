import ArgumentParser
import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import Synchronization

/// Many callers at once, each calling again as soon as it is answered, until a call of its own fails.
struct Storm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call from many tasks until each has failed once or the time is over; print every failure.",
        discussion: """
            Prints `ready` when the first call was answered, and at the end {issued, answered, failures: [{start_ns, end_ns, \
            code, reason}]}; times are those of CLOCK_MONOTONIC.
            """)

    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "Callers.") var inFlight = 64
    @Option(help: "How many more callers wait for an answer that never comes.") var hanging = 0
    @Option(help: "Milliseconds a call may take.") var deadline = 10_000
    @Option(help: "Seconds after which nobody calls again.") var seconds = 20
    @Option(help: "Bytes of request and of reply.") var size = 256

    private struct Failure {
        let start: MonotonicTime
        let end: MonotonicTime
        let error: CallError

        var json: String {
            #"{"start_ns":\#(start.nanoseconds),"end_ns":\#(end.nanoseconds),"#
                + #""code":"\#(error.code)","reason":"\#(error.reason)"}"#
        }
    }

    private final class Score: Sendable {
        let issued = Atomic<Int>(0)
        let answered = Atomic<Int>(0)
    }

    func run() async throws {
        let link = IPCLink(
            configuration: LinkConfiguration(peer: "echo", caller: "storm", socketPath: socket, schemas: [Echo.schema]),
            eventLoop: Echo.loop)
        _ = try await link.unary(Echo.hop, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
        let (end, score) = (MonotonicTime.now() + .seconds(seconds), Score())
        let failures = await withTaskGroup(of: Failure?.self) { group in
            for _ in 0 ..< inFlight { group.addTask { await calls(link, Echo.hop, until: end, score) } }
            for _ in 0 ..< hanging { group.addTask { await calls(link, Echo.hang, until: end, score) } }
            print("ready")
            fflush(nil)
            return await group.reduce(into: [Failure]()) { if let failure = $1 { $0.append(failure) } }
        }
        let (issued, answered) = (score.issued.load(ordering: .relaxed), score.answered.load(ordering: .relaxed))
        let list = failures.map(\.json).joined(separator: ",")
        print(#"{"issued":\#(issued),"answered":\#(answered),"failures":[\#(list)]}"#)
        await link.close()
    }

    private func calls(_ link: IPCLink, _ method: MethodDescriptor, until end: MonotonicTime, _ score: Score) async -> Failure? {
        let message = ByteBuffer(repeating: 7, count: size)
        while case let start = MonotonicTime.now(), start < end {
            score.issued.add(1, ordering: .relaxed)
            do {
                let options = CallOptions(deadline: start + .milliseconds(deadline), waitForReady: .zero)
                _ = try await link.unary(method, message, options)
                score.answered.add(1, ordering: .relaxed)
            } catch {
                return Failure(
                    start: start, end: .now(), error: error as? CallError ?? CallError(.unknown, message: "\(type(of: error))"))
            }
        }
        return nil
    }
}
