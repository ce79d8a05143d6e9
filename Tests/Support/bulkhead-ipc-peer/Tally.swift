import ArgumentParser
import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import Synchronization

/// What a server has executed, told to whoever asks.
final class Tally: Sendable {
    /// Calls whose handler began.
    private let executed = Atomic<Int>(0)
    /// Those of them whose deadline had passed by then: there must be none.
    private let expired = Atomic<Int>(0)
    /// Handlers that have not ended.
    private let running = Atomic<Int>(0)
    private let mostRunning = Atomic<Int>(0)
    /// Handlers that ended by an error: they were cancelled.
    private let broken = Atomic<Int>(0)
    /// Messages written by floods.
    private let written = Atomic<Int>(0)
    private let server = Mutex<IPCServer?>(nil)
    private let journal: Journal?

    init(journal: Journal? = nil) { self.journal = journal }

    func watch(_ server: IPCServer) { self.server.withLock { $0 = server } }

    func wrote() { written.add(1, ordering: .relaxed) }

    /// Counts the execution of a call from its begin to its end.
    func during<Value: Sendable>(_ call: ServerCall, _ method: MethodDescriptor, _ body: () async throws -> Value) async throws
        -> Value
    {
        executed.add(1, ordering: .relaxed)
        let now = MonotonicTime.now()
        if call.deadline <= now { expired.add(1, ordering: .relaxed) }
        let others = running.add(1, ordering: .relaxed).newValue
        mostRunning.max(others, ordering: .relaxed)
        journal?.begin(call, method, now, running: others)
        defer { running.subtract(1, ordering: .relaxed) }
        do {
            return try await body()
        } catch {
            broken.add(1, ordering: .relaxed)
            throw error
        }
    }

    var json: String {
        let seen = server.withLock { $0?.snapshot() } ?? ServerSnapshot()
        let counts: KeyValuePairs = [
            "executed": executed.load(ordering: .relaxed), "expired": expired.load(ordering: .relaxed),
            "running": running.load(ordering: .relaxed), "most_running": mostRunning.load(ordering: .relaxed),
            "broken": broken.load(ordering: .relaxed), "written": written.load(ordering: .relaxed),
            "connections": seen.connections, "in_flight": seen.inFlight, "rejected": Int(seen.rejected),
            "realtime_s": time(nil), "pid": Int(getpid()),
        ]
        return "{" + counts.map { #""\#($0)":\#($1)"# }.joined(separator: ",") + "}"
    }
}

struct Count: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print what a server has executed, as one JSON object.")

    @OptionGroup var to: LinkOptions

    func run() async throws {
        let link = to.link(caller: "count")
        let reply = try await link.unary(Echo.tally, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
        print(String(buffer: reply))
        await link.close()
    }
}
