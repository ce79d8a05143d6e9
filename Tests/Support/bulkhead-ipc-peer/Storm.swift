import ArgumentParser
import BulkheadCore
import BulkheadIPC
import NIOCore
import Synchronization

/// Many callers at once, each calling again as soon as it is answered.
struct Storm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call from many tasks until each has failed once or the time is over; print every failure.",
        discussion: """
            Prints `ready` when the first call was answered, and at the end {issued, answered, cancelled, slowest_us, p50_us, \
            p99_us, failures: [{start_ns, end_ns, code, reason, not_processed}]}; times are those of CLOCK_MONOTONIC.
            """)

    @OptionGroup var to: LinkOptions
    @Option(help: "Callers.") var inFlight = 64
    @Option(help: "How many more callers wait for an answer that never comes.") var hanging = 0
    @Option(help: "How many more callers send streams of 16 messages and read them back.") var streams = 0
    @Option(help: "Milliseconds a call may take.") var deadline = 10_000
    @Option(help: "Milliseconds a call waits for the link.") var wait = 0
    @Option(help: "Seconds after which nobody calls again.") var seconds = 20
    @Option(help: "Bytes of request and of reply.") var size = 256
    @Option(help: "Every Nth call of a caller is cancelled as soon as it began; 0: none.") var cancelEvery = 0
    @Flag(help: "Nobody calls again when standard input has ended.") var untilEOF = false
    @Flag(help: "The calls may be executed twice.") var idempotent = false
    @Flag(help: "A caller goes on after a failure, 10 ms later.") var goOn = false

    func run() async throws {
        let link = to.link(caller: "storm")
        _ = try await link.unary(Echo.hop, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5), waitForReady: .seconds(1)))
        let (end, score) = (MonotonicTime.now() + .seconds(seconds), StormScore())
        if untilEOF { Lines.listen { if $0 == nil { score.isOver.store(true, ordering: .relaxed) } } }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0 ..< inFlight { group.addTask { await calls(score, end) { try await unary(link, Echo.hop) } } }
            for _ in 0 ..< hanging { group.addTask { await calls(score, end) { try await unary(link, Echo.hang) } } }
            for _ in 0 ..< streams { group.addTask { await calls(score, end) { try await stream(link) } } }
            Lines.say("ready")
        }
        Lines.say(score.json)
        await link.close()
    }

    private func calls(_ score: StormScore, _ end: MonotonicTime, _ body: @escaping @Sendable () async throws -> Void) async {
        var number = 0
        while case let start = MonotonicTime.now(), start < end, !score.isOver.load(ordering: .relaxed) {
            number += 1
            score.issued.add(1, ordering: .relaxed)
            do {
                let isCancelled = cancelEvery > 0 && number.isMultiple(of: cancelEvery)
                if isCancelled { await cancelled(score, body) } else { try await body() }
                score.answered(isCancelled ? nil : MonotonicTime.now() - start)
            } catch {
                score.failed(start, error)
                guard goOn else { return }
                try? await Echo.loop.sleep(.milliseconds(10))
            }
        }
    }

    /// A caller that gives up at once; whatever it is told by then is right.
    private func cancelled(_ score: StormScore, _ body: @escaping @Sendable () async throws -> Void) async {
        let call = Task(name: "cancelled call") { try await body() }
        call.cancel()
        if case .failure = await call.result { score.cancelled.add(1, ordering: .relaxed) }
    }

    private var options: CallOptions {
        CallOptions(
            deadline: .now() + .milliseconds(deadline), isIdempotent: idempotent, waitForReady: .milliseconds(wait))
    }

    private func unary(_ link: IPCLink, _ method: MethodDescriptor) async throws {
        let reply = try await link.unary(method, ByteBuffer(repeating: 7, count: size), options)
        guard reply == ByteBuffer(repeating: 7, count: size) else { throw CallError(.dataLoss, message: "another reply") }
    }

    private func stream(_ link: IPCLink) async throws {
        try await link.stream(Echo.stream, options) { reader, writer in
            for number in 0 ..< UInt8(16) { try await writer.write(ByteBuffer(repeating: number, count: size)) }
            writer.finish()
            var number: UInt8 = 0
            while let message = try await reader.next() {
                guard message == ByteBuffer(repeating: number, count: size) else {
                    throw CallError(.dataLoss, message: "another message")
                }
                number += 1
            }
            guard number == 16 else { throw CallError(.dataLoss, message: "\(number) of 16 messages") }
        }
    }
}
