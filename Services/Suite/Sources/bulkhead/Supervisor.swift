import BulkheadCore
import BulkheadServiceKit
import Glibc
import NIOCore
import Synchronization

/// Keeps the children running: restarts one that ends, with a growing pause, and ends them in order.
///
/// A child is waiting (to be started), running, or stopped (on purpose). While the suite has not been ready once, and at its
/// own first start, a child that gives up with an exit code ends everything: it has said why, and trying again would not help.
final class Supervisor: Sendable {
    private struct Child {
        var process: ChildProcess?
        var startedAt = MonotonicTime.now()
        var pause = Supervisor.firstPause
        var launches = 0
    }

    private struct State {
        var children: [String: Child] = [:]
        var isStopping = false
        var wasReady = false
        var failure: Int32?
        var waiter: CheckedContinuation<Int32, Never>?
        var exits: [String: CheckedContinuation<Void, Never>] = [:]
    }

    private static let firstPause = Duration.milliseconds(200)
    private static let longestPause = Duration.seconds(10)
    /// A child that ran this long starts over with the first pause.
    private static let steady = Duration.seconds(5)

    private let programs: [(name: String, path: String, arguments: [String])]
    private let pidsFile: String?
    private let relay: LogRelay
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    /// - Parameter programs: in the order in which they are ended.
    init(
        programs: [(name: String, path: String, arguments: [String])], pidsFile: String?, relay: LogRelay,
        eventLoop: any EventLoop
    ) {
        self.programs = programs
        self.pidsFile = pidsFile
        self.relay = relay
        self.eventLoop = eventLoop
    }

    /// Starts all children. - Throws: `StartupFailure`.
    func start() throws {
        for program in programs { try launch(program.name) }
    }

    /// Waits until asked to stop (0) or a child could not start (its exit code).
    func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Int32? in
                if let failure = state.failure { return failure }
                if state.isStopping { return 0 }
                state.waiter = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// From now on a child that ends is restarted, whatever its exit code.
    func markReady() { state.withLock { $0.wasReady = true } }

    /// Makes `wait` return.
    func requestStop(failure: Int32? = nil) {
        let waiter = state.withLock { state in
            state.failure = state.failure ?? failure
            state.isStopping = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: state.withLock { $0.failure } ?? 0)
    }

    /// Ends the children one after the other, each with a SIGTERM and, after `grace`, a SIGKILL.
    /// - Returns: the names that had to be killed.
    func stop(grace: Duration) async -> [String] {
        state.withLock { $0.isStopping = true }
        var killed: [String] = []
        for program in programs {
            guard let process = state.withLock({ $0.children[program.name]?.process }) else { continue }
            // A frozen child cannot drain.
            process.send(SIGCONT)
            process.send(SIGTERM)
            let timer = eventLoop.scheduleTask(in: .nanoseconds(grace.nanosecondsClamped)) { process.send(SIGKILL) }
            await exit(of: program.name)
            if state.withLock({ $0.children[program.name]?.pause }) == .zero { killed.append(program.name) }
            timer.cancel()
        }
        return killed
    }

    private func exit(of name: String) async {
        await withCheckedContinuation { continuation in
            let isGone = state.withLock { state in
                guard state.children[name]?.process != nil else { return true }
                state.exits[name] = continuation
                return false
            }
            if isGone { continuation.resume() }
        }
    }

    private func launch(_ name: String) throws {
        guard let program = programs.first(where: { $0.name == name }) else { return }
        let process = try ChildProcess.start(program.path, program.arguments) { [relay] line in
            relay.relay(name, line)
        } onExit: { [self] exit in
            eventLoop.execute { self.ended(name, exit) }
        }
        state.withLock { state in
            var child = state.children[name] ?? Child()
            child.process = process
            child.startedAt = .now()
            child.launches += 1
            state.children[name] = child
        }
        writePIDs()
    }

    private func ended(_ name: String, _ exit: ChildExit) {
        enum Next { case none, fail(Int32), restart(Duration) }
        let (next, waiter) = state.withLock { state -> (Next, CheckedContinuation<Void, Never>?) in
            guard var child = state.children[name] else { return (.none, nil) }
            child.process = nil
            let waiter = state.exits.removeValue(forKey: name)
            if state.isStopping {
                child.pause = exit == .signal(SIGKILL) ? .zero : child.pause
                state.children[name] = child
                return (.none, waiter)
            }
            // Also when the suite looks ready: at its address another one may answer.
            let neverStarted = child.launches == 1 && .now() - child.startedAt < Self.steady
            if case .code(let code) = exit, code != 0, !state.wasReady || neverStarted {
                state.children[name] = child
                return (.fail(code), waiter)
            }
            let ran = MonotonicTime.now() - child.startedAt
            if ran >= Self.steady { child.pause = Self.firstPause }
            // Who was asked to end and did is wanted back at once: callers wait for it.
            let pause = exit == .code(0) && ran >= .seconds(1) ? .zero : child.pause
            if pause > .zero { child.pause = min(pause * 2, Self.longestPause) }
            state.children[name] = child
            return (.restart(pause), waiter)
        }
        waiter?.resume()
        switch next {
        case .none: return
        case .fail(let code):
            relay.say("\(name) could not start (\(exit)); its last lines say why")
            requestStop(failure: code)
        case .restart(let pause):
            relay.say("\(name) ended with \(exit); starting it again in \(Int(pause.milliseconds)) ms")
            eventLoop.scheduleTask(in: .nanoseconds(pause.nanosecondsClamped)) { self.relaunch(name) }
        }
    }

    private func relaunch(_ name: String) {
        guard !state.withLock({ $0.isStopping }) else { return }
        do {
            try launch(name)
        } catch {
            relay.say("\(error); trying again in \(Int(Self.longestPause.milliseconds)) ms")
            eventLoop.scheduleTask(in: .nanoseconds(Self.longestPause.nanosecondsClamped)) { self.relaunch(name) }
        }
    }

    /// The file is replaced in one step, so that a reader never sees half of it.
    private func writePIDs() {
        guard let pidsFile else { return }
        let pids = state.withLock { state in
            state.children.compactMap { name, child in child.process.map { (name, $0.pid) } }
        }
        let body = pids.sorted { $0.0 < $1.0 }.map { "\"\($0)\":\($1)" }.joined(separator: ",")
        let scratch = pidsFile + ".new"
        guard let file = fopen(scratch, "w") else {
            relay.say("cannot write \(scratch): \(String(cString: strerror(errno)))")
            return
        }
        fputs("{\(body)}\n", file)
        fclose(file)
        if rename(scratch, pidsFile) != 0 { relay.say("cannot replace \(pidsFile): \(String(cString: strerror(errno)))") }
    }
}
