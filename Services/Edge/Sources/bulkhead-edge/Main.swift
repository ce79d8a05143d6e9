import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import EdgeService

extension EdgeDaemon: CommandLineService {
    package static let abstract = "The HTTP edge: serves OpenAI and Anthropic clients."
    package static let commands: [any ParsableCommand.Type] = [RoutesCommand.self, LimitsCommand.self]
}

@main
enum Main {
    static func main() { ServiceMain.run(EdgeDaemon.self) }
}
