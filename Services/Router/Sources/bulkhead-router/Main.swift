import ArgumentParser
import BulkheadAdminCLI
import RouterService

extension RouterDaemon: CommandLineService {
    package static var commands: [any ParsableCommand.Type] {
        [Models.self, Providers.self, Explain.self, Cache.self, TargetCommand.self]
    }
    package static var abstract: String { "Routes model requests to providers: retries, fallback, breakers, answer cache." }
}

@main enum Main {
    static func main() { ServiceMain.run(RouterDaemon.self) }
}
