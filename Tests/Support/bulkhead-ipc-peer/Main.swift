import ArgumentParser
import BulkheadIPC
import Glibc

/// Both ends of an IPC link as programs of their own, and the same over a bare socket: for fault tests and measurements.
struct Peer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-ipc-peer",
        abstract: "Serves or calls an echo method over the IPC layer, or over a bare socket for comparison.",
        discussion: "Example: bulkhead-ipc-peer serve /tmp/p.sock & bulkhead-ipc-peer ping /tmp/p.sock --count 50000 --size 1024",
        subcommands: [
            Serve.self, Ping.self, Storm.self, Drive.self, Watch.self, Count.self, RawServe.self, RawPing.self,
            BenchServe.self, BenchCall.self, BenchStream.self,
        ])
}

@main
enum Main {
    static func main() { run() }

    /// Not on the main actor: its thread waits for signals.
    nonisolated private static func run() -> Never {
        signal(SIGPIPE, SIG_IGN)
        // Before anything else makes a thread.
        StopSignal.block()
        // One loop for sockets and tasks alike, as in the services. Before anything else makes a loop or a task.
        ProcessRuntime.takeOver()
        Task(name: "peer") {
            await Peer.main()
            exit(0)
        }
        StopSignal.waitForEver()
    }
}
