import BulkheadCore
import NIOCore

/// A link to a hostile server. Every call ends once, and when a good server takes the hostile one's place the link serves again.
package enum ClientCheck {
    /// A link to a peer of another version asks again after 30 s.
    private static let recovery = 120_000

    /// Plays one input.
    package static func run(_ input: some Sequence<UInt8>) {
        let stage = Stage()
        weak var pipe: FramePipe?
        weak var core: ServerCore?
        play(HostileScript(input, .server), stage, &pipe, &core)
        // Timers may still hold what they were for.
        _ = stage.pass(atMost: 10_000) { pipe == nil && core == nil }
        if pipe != nil { found("the pipe of a closed connection is still there") }
        if core != nil { found("the server is still there") }
        stage.end()
    }

    private static func play(_ script: HostileScript, _ stage: Stage, _ weakPipe: inout FramePipe?, _ weakCore: inout ServerCore?)
    {
        let (server, memory) = (HostileServer(), TestService.budget())
        let link = IPCLink(TestService.link(memory), dialer: .hostile(server), stage.loop)
        stage.turn()
        let calls = HostileCalls(link)
        for step in script.steps {
            perform(step, server.end, stage) { calls.act($0) }
        }
        server.end?.deliver()
        stage.turn()
        weakPipe = server.end?.pipe
        let good = TestService.core(stage, TestService.budget())
        weakCore = good
        good.setHealth(PeerHealth(state: .ready))
        server.successor = good
        server.end?.close()
        server.forget()
        recover(link, stage)
        finish(link, calls, stage)
        if memory.used != 0 { found("\(memory.used) bytes are counted that nobody holds") }
    }

    private static func recover(_ link: IPCLink, _ stage: Stage) {
        let probes = CallTally()
        let isBack = stage.pass(atMost: recovery) {
            if probes.started == probes.ended, probes.succeeded == 0 {
                probes.call {
                    _ = try await link.unary(TestService.echo, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
                }
            }
            return probes.succeeded > 0
        }
        if !isBack { found("the link does not recover: \(link.snapshot())") }
    }

    private static func finish(_ link: IPCLink, _ calls: HostileCalls, _ stage: Stage) {
        if !stage.pass(atMost: HostileCalls.longest, until: { calls.tally.ended == calls.tally.started }) {
            found("\(calls.tally.started - calls.tally.ended) calls outlive their deadlines: \(link.snapshot())")
        }
        let closing = CallTally()
        closing.call { await link.close() }
        let isDone = stage.pass(atMost: 10_000) { calls.tally.ended == calls.tally.started && closing.ended == 1 }
        if !isDone { found("\(calls.tally.started - calls.tally.ended) calls never end: \(link.snapshot())") }
        if link.snapshot().inFlight != 0 { found("the link counts calls that are over: \(link.snapshot())") }
    }
}

/// The calls a script makes the link make. `@unchecked Sendable`: one thread.
final class HostileCalls: @unchecked Sendable {
    private static let maxCalls = 64
    /// Milliseconds after which every call must have ended: the longest deadline and some.
    static let longest = 21_000

    let tally = CallTally()
    private let link: IPCLink
    private var tasks: [Task<Void, Never>] = []

    init(_ link: IPCLink) { self.link = link }

    func act(_ choice: UInt8) {
        if choice & 7 == 7 { return tasks.isEmpty ? () : tasks[Int(choice >> 3) % tasks.count].cancel() }
        guard tasks.count < Self.maxCalls else { return }
        let link = link
        let options = CallOptions(
            deadline: .now() + (choice & 0x80 == 0 ? .milliseconds(60) : .seconds(20)), isIdempotent: choice & 0x40 != 0,
            waitForReady: choice & 0x20 == 0 ? .milliseconds(250) : .zero)
        tasks.append(tally.call { try await Self.make(choice & 7, link, options) })
    }

    private static func make(_ shape: UInt8, _ link: IPCLink, _ options: CallOptions) async throws {
        switch shape {
        case 0: _ = try await link.unary(TestService.echo, ByteBuffer(string: "small"), options)
        case 1: _ = try await link.unary(TestService.echo, ByteBuffer(repeating: 0x63, count: 200_000), options)
        case 2:
            try await link.serverStream(TestService.list, ByteBuffer(string: "list"), options) { reader in
                while try await reader.next() != nil {}
            }
        case 3: try await link.serverStream(TestService.list, ByteBuffer(), options) { _ = try await $0.next() }
        case 4: try await converse(link, options, messages: 3, bytes: 100)
        case 5: try await converse(link, options, messages: 12, bytes: 70_000)
        default: try await link.stream(TestService.chat, options) { _, writer in try await writer.write(ByteBuffer()) }
        }
    }

    private static func converse(_ link: IPCLink, _ options: CallOptions, messages: Int, bytes: Int) async throws {
        try await link.stream(TestService.chat, options) { reader, writer in
            for _ in 0 ..< messages { try await writer.write(ByteBuffer(repeating: 0x64, count: bytes)) }
            writer.finish()
            while try await reader.next() != nil {}
        }
    }
}
