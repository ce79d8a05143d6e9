import ArgumentParser
import BulkheadAPI
import BulkheadIPC
import BulkheadServiceKit
import Glibc
import NIOCore
import NIOPosix

/// Serves until it is told to stop.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the echo methods on SOCKET.",
        discussion: "Prints `ready`, drains on SIGTERM or SIGINT, prints {cut_off} and exits 0.")

    @Argument(help: "Path of the socket; its directory must be this user's.") var socket: String
    @Option(help: "Calls of each class at once per connection.") var maxConcurrent = 4096
    @Option(help: "Bytes of a message at most.") var maxMessage = 16 << 20
    @Option(help: "Milliseconds that calls in flight have after SIGTERM.") var grace = 2000
    @Option(help: "File that gets a line for every execution.") var journal: String?
    @Option(help: "A uid that may connect besides this process's own (repeatable).") var allow: [UInt32] = []

    @Option(help: "The version of the schema it was built with.") var schema = SchemaVariant.base

    @Flag(help: "Abort when the event loop or the blocking threads hang, as the services do.") var watchdog = false
    private static let blockingThreads = 2

    func run() async throws {
        let stop = StopSignal.next(Echo.loop)
        let tally = Tally(journal: try journal.map { try Journal(path: $0) })
        let pool = NIOThreadPool(numberOfThreads: Self.blockingThreads)
        pool.start()
        if watchdog { try LoopWatchdog.start(Echo.loop, blocking: pool) }
        let methods = Echo.methods(tally) + [Work.jam(tally, pool, threads: Self.blockingThreads)]
        let server = try await IPCServer.start(
            ServerConfiguration(
                service: "echo", socketPath: socket, allowedUIDs: Set(allow + [geteuid()]),
                methods: schema.serve(methods) + PeerMethods.serve(TallyMetrics(tally: tally)),
                schemas: [schema.schema, PeerMethods.schema],
                maxMessageBytes: maxMessage, limits: ClassLimits(each: maxConcurrent)),
            eventLoop: Echo.loop)
        tally.watch(server)
        server.setHealth(PeerHealth(state: .ready))
        Lines.say("ready")
        _ = try await stop.get()
        Lines.say(#"{"cut_off":\#(await server.drain(grace: .milliseconds(grace)))}"#)
    }
}
