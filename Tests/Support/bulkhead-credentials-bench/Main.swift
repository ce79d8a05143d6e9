import ArgumentParser
import BenchFigures

/// What a call through credentials costs: the calls, and the parts of one by themselves.
struct CredentialsBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-credentials-bench",
        abstract: "Measures calls through a running credentials process, and redaction and the audit trail by themselves.",
        subcommands: [Calls.self, Redaction.self, Audit.self])
}

@main
enum Main {
    static func main() { BenchProcess.run { await CredentialsBench.main() } }
}
