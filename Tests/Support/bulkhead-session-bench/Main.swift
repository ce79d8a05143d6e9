import ArgumentParser
import BenchFigures

/// What an admission costs, as edge asks for it, and what the disk below costs.
struct SessionBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-session-bench", abstract: "Measures a running session process, and the disk it stands on.",
        subcommands: [Admissions.self, Sync.self])
}

@main
enum Main {
    static func main() { BenchProcess.run { await SessionBench.main() } }
}
