import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import SessionService

@main
enum Main {
    static func main() { ServiceMain.run(SessionDaemon.self) }
}

extension SessionDaemon: CommandLineService {
    package static var abstract: String { "API keys, limits and idempotency of the suite." }

    /// What the start refuses although the file is right.
    package static func furtherProblems(_ options: SharedOptions) async -> [ConfigProblem] {
        UnbuiltSettings.problems(options.configurationPath)
    }

    package static var commands: [any ParsableCommand.Type] {
        [
            KeysCommand.self, TenantsCommand.self, SpendCommand.self, LimitsCommand.self, IdempotencyCommand.self,
            StoreCommand.self,
        ]
    }
}

/// The configuration of a command, with its example.
func command(
    _ name: String, _ abstract: String, example: String, subcommands: [any ParsableCommand.Type] = []
) -> CommandConfiguration {
    CommandConfiguration(
        commandName: name, abstract: abstract, discussion: "Example:\n  bulkhead-session \(example)", subcommands: subcommands)
}
