import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadServiceKit
import EdgeService

extension EdgeDaemon: CommandLineService {
    package static let abstract = "The HTTP edge: serves OpenAI and Anthropic clients."
    package static let commands: [any ParsableCommand.Type] = [RoutesCommand.self, LimitsCommand.self]

    /// The source of an issuer's keys, as it is on this server.
    package static func furtherProblems(_ options: SharedOptions) async -> [ConfigProblem] {
        KeySourceCheck.problems(options.configurationPath)
    }
}

@main
enum Main {
    static func main() { ServiceMain.run(EdgeDaemon.self) }
}
