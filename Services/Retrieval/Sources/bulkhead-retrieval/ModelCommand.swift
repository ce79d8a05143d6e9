import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RetrievalService

/// `bulkhead-retrieval model`.
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Show the built-in embedding model: its files, whether it is loaded, what it has done.",
        discussion: "Example:\n  bulkhead-retrieval model --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = try await AdminConnection(.retrieval, shared).invoke("model", NoValue(), as: ModelReport.self)
        try show(report, shared) { $0.text }
    }
}
