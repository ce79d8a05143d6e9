import ArgumentParser
import BulkheadAdminCLI
import Foundation
import RouterService

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tells where a request for a model would go, why, at what cost, and what follows from each class of error.",
        discussion: """
            Nothing is sent. With --request the capabilities of the targets, the cost and the cache are told for that request: \
            an OpenAI chat, OpenAI Responses or Anthropic Messages body.

            Example:
              bulkhead-router explain --model assistant --request body.json
            """)

    @OptionGroup var shared: SharedOptions
    @Option(help: "The model as a client would name it.") var model: String
    @Option(help: "A file with a request body; - reads standard input.") var request: String?

    func run() async throws {
        let arguments = ExplainArguments(
            model: model, request: try request.map { try BodyFile.read($0) { try RequestSketch($0) } })
        let told = try await AdminConnection(.router, shared).invoke("explain", arguments, as: RouteExplanation.self)
        try show(told, shared) { ExplanationText($0).text }
    }
}

/// An explanation for people.
private struct ExplanationText {
    private let told: RouteExplanation

    init(_ told: RouteExplanation) { self.told = told }

    var text: String {
        let first = told.first.map { "asked first: \($0), \(told.why)" } ?? "asked first: \(told.why)"
        let alias = told.alias == told.model ? "" : " (route \(told.alias))"
        return """
            model \(told.model)\(alias), \(told.strategy)
            \(first)
            request: \(request)
            exact cache: \(told.cacheOutlook)

            \(table([Self.head] + told.targets.enumerated().map(row)))

            \(table([["ON", "THEN"]] + told.rules.map { [$0.on, $0.action] }))
            """
    }

    private var request: String {
        let request = told.request
        let tokens = "\(request.inputTokens) tokens in, \(request.outputTokens) out"
        guard let dialect = request.dialect else { return "none given; costs are for \(tokens)" }
        let parts = [
            "about \(tokens)", request.images > 0 ? "\(request.images) images" : nil,
            request.tools > 0 ? "\(request.tools) tools" : nil,
            request.stream ? "streamed" : nil,
        ]
        return "\(dialect), " + parts.compactMap { $0 }.joined(separator: ", ")
    }

    private static let head = ["", "TARGET", "DIALECT", "STATE", "SHARE", "CONTEXT", "COST USD", "CAN TAKE IT"]

    private func row(_ index: Int, _ target: RouteExplanation.Row) -> [String] {
        [
            "\(index + 1).", target.label, target.dialect, target.state, target.sharePercent.map { "\($0) %" } ?? "-",
            target.context.map { "\($0)" } ?? "unknown", target.estimatedCost.map(Self.dollars) ?? "price unknown",
            target.obstacle.map { "no: \($0)" } ?? "yes",
        ]
    }

    private static func dollars(_ nano: Int) -> String { String(format: "%.6f", Double(nano) / 1e9) }
}
