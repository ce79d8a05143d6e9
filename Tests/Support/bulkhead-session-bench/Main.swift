import ArgumentParser
import BulkheadIPC
import Glibc

/// What an admission costs, as edge asks for it, and what the disk below costs.
struct SessionBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-session-bench", abstract: "Measures a running session process, and the disk it stands on.",
        subcommands: [Admissions.self, Sync.self])
}

@main
enum Main {
    static func main() { run() }

    /// Not on the main actor: its thread sleeps.
    nonisolated private static func run() -> Never {
        signal(SIGPIPE, SIG_IGN)
        // One loop for sockets and tasks alike, as in the services. Before anything else makes a loop or a task.
        ProcessRuntime.takeOver()
        Task(name: "bench") {
            await SessionBench.main()
            exit(0)
        }
        while true { pause() }
    }
}
