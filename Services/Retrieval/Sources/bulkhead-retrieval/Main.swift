import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RetrievalService

extension RetrievalDaemon: CommandLineService {
    package static let abstract = "Retrieval: embeds texts with the built-in model."
    package static let commands: [any ParsableCommand.Type] = [ModelCommand.self]
}

@main
enum Main {
    static func main() { ServiceMain.run(RetrievalDaemon.self) }
}
