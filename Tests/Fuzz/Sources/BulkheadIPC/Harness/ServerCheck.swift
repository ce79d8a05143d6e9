import BulkheadCore
import NIOCore

/// A server with a hostile client beside a good one. The hostile connection ends or goes on, the good one is served, and in the
/// end nothing of the hostile one is left.
package enum ServerCheck {
    /// Plays one input.
    package static func run(_ input: some Sequence<UInt8>) {
        let stage = Stage()
        weak var pipe: FramePipe?
        weak var core: ServerCore?
        play(HostileScript(input, .client), stage, &pipe, &core)
        // Timers may still hold what they were for.
        _ = stage.pass(atMost: 10_000) { pipe == nil && core == nil }
        if pipe != nil { found("the pipe of a closed connection is still there") }
        if core != nil { found("the server is still there") }
        stage.end()
    }

    private static func play(_ script: HostileScript, _ stage: Stage, _ weakPipe: inout FramePipe?, _ weakCore: inout ServerCore?)
    {
        let memory = TestService.budget()
        let core = TestService.core(stage, memory)
        weakCore = core
        core.setHealth(PeerHealth(state: .ready))
        let link = IPCLink(TestService.link(TestService.budget()), dialer: .memory(core), stage.loop)
        stage.turn()
        let pipe = FramePipe(eventLoop: stage.loop)
        weakPipe = pipe
        let end = HostileEnd(pipe, PeerWatch(.client))
        core.accept(pipe, uid: nil)
        pipe.attach(end)
        let drains = CallTally()
        for step in script.steps {
            perform(step, end, stage) { act($0, core, drains) }
        }
        end.deliver()
        stage.turn()
        if drains.started == 0 { expectAnswer(link, stage, memory.hasRoom) }
        end.close()
        stage.pass(100)
        if drains.started == 0 { expectAnswer(link, stage, true) }
        finish(core, link, drains, stage)
        if memory.used != 0 { found("\(memory.used) bytes are counted that nobody holds") }
    }

    private static func act(_ choice: UInt8, _ core: ServerCore, _ drains: CallTally) {
        switch choice & 7 {
        case 0: core.setHealth(PeerHealth(state: .degraded, reason: "slow"))
        case 1: drain(core, .milliseconds(Int(choice) * 4), drains)
        default: core.setHealth(PeerHealth(state: .ready))
        }
    }

    private static func drain(_ core: ServerCore, _ grace: Duration, _ drains: CallTally) {
        drains.call { await withUnsafeContinuation { continuation in core.drain(grace: grace) { _ in continuation.resume() } } }
    }

    /// While the hostile client holds all memory there is for requests, the good one is told so.
    private static func expectAnswer(_ link: IPCLink, _ stage: Stage, _ hasRoom: Bool) {
        let calls = CallTally()
        calls.call {
            let reply = try await link.unary(
                TestService.echo, ByteBuffer(string: "still"), CallOptions(deadline: .now() + .seconds(5)))
            if reply != ByteBuffer(string: "still") { found("the good client got \(reply)") }
        }
        _ = stage.pass(atMost: 2000) { calls.ended == 1 }
        if calls.ended == 0 || (hasRoom && calls.succeeded == 0) { found("the good client got no answer: \(link.snapshot())") }
    }

    private static func finish(_ core: ServerCore, _ link: IPCLink, _ drains: CallTally, _ stage: Stage) {
        let closing = CallTally()
        closing.call { await link.close() }
        let isIdle = stage.pass(atMost: 10_000) {
            let snapshot = core.snapshot()
            return snapshot.connections == 0 && snapshot.inFlight == 0 && TestService.running == 0
        }
        if !isIdle { found("left behind: \(core.snapshot()), \(TestService.running) handlers") }
        if closing.ended == 0 { found("the link does not close") }
        if drains.ended != drains.started { found("a drain does not end") }
    }
}

/// One step of a script.
func perform(_ step: HostileScript.Step, _ end: HostileEnd?, _ stage: Stage, _ act: (UInt8) -> Void) {
    switch step {
    case .send(let bytes): end?.send(bytes)
    case .deliver: end?.deliver()
    case .pass(let milliseconds):
        end?.deliver()
        stage.pass(milliseconds)
    case .stopTaking: end?.setTaking(false)
    case .goOnTaking: end?.setTaking(true)
    case .leave: end?.close()
    case .act(let choice):
        end?.deliver()
        act(choice)
    }
    if case .send = step { return }
    stage.turn()
}
