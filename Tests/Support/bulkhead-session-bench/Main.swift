import ArgumentParser
import BenchFigures

/// What an admission costs, as edge asks for it, and what the disk below costs.
struct SessionBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-session-bench", abstract: "Measures a running session process, its parts, and what they stand on.",
        subcommands: [Admissions.self, Limiter.self, Stall.self, PingPong.self, Sync.self])
}

@main
enum Main {
    static func main() { BenchProcess.run { await SessionBench.main() } }
}
