import ArgumentParser
import BulkheadIPC
import Glibc

/// What a call through credentials costs: the calls, and the parts of one by themselves.
struct CredentialsBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-credentials-bench",
        abstract: "Measures calls through a running credentials process, and redaction and the audit trail by themselves.",
        subcommands: [Calls.self, Redaction.self, Audit.self])
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
            await CredentialsBench.main()
            exit(0)
        }
        while true { pause() }
    }
}
