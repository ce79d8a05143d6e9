import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct Models: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Lists the configured model names and where they lead.",
        discussion: "Example:\n  bulkhead-router models")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.router, shared).invoke("models", NoValue(), as: [ModelRow].self)
        try show(rows, shared) { rows in
            table(
                [["MODEL", "TARGETS", "STRATEGY", "FALLBACKS"]]
                    + rows.map {
                        [$0.name, $0.targets.joined(separator: ", "), $0.strategy, $0.fallbacks.joined(separator: ", ")]
                    })
        }
    }
}

struct Providers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "providers", abstract: "Lists the configured providers.",
        discussion: "Example:\n  bulkhead-router providers --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.router, shared).invoke("providers", NoValue(), as: [ProviderRow].self)
        try show(rows, shared) { rows in
            table(
                [["PROVIDER", "DIALECT", "DESTINATION", "SERVES"]] + rows.map { [$0.name, $0.dialect, $0.destination, $0.serve] })
        }
    }
}

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tells where a request for a model would go, and what follows from each class of error.",
        discussion: "Nothing is sent.\n\nExample:\n  bulkhead-router explain --model assistant")

    @OptionGroup var shared: SharedOptions
    @Option(help: "The model as a client would name it.") var model: String

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke(
            "explain", ExplainArguments(model: model), as: RouteExplanation.self)
        try show(told, shared, text: Self.text)
    }

    private static func text(_ route: RouteExplanation) -> String {
        let targets = route.targets.enumerated().map { index, target in
            let probe = target.nextProbeMilliseconds.map { ", next probe in \($0) ms" } ?? ""
            return ["\(index + 1).", "\(target.provider)/\(target.model)", target.dialect, "breaker \(target.breaker)\(probe)"]
        }
        return """
            model \(route.model), \(route.strategy), exact cache \(route.cache)
            \(table([["", "TARGET", "DIALECT", "STATE"]] + targets))

            \(table([["ON", "THEN"]] + route.rules.map { [$0.on, $0.action] }))
            """
    }
}
