import BulkheadCore

/// Which model names lead where. Made anew from every configuration; never changes.
package struct RoutingTable: Sendable {
    private let exact: [String: Route]
    /// The most specific first, equally specific ones in file order.
    private let patterns: [(pattern: NamePattern, model: ModelConfiguration)]
    private let providers: [ProviderConfiguration]
    private let byName: [String: ProviderConfiguration]
    /// Configured names without patterns, in file order.
    package let names: [String]
    /// Names the catalog knows that lead somewhere without being configured, each with the provider asked first; sorted.
    private let passedOn: [(name: String, provider: String)]

    /// The names of the retrieval service's embedder.
    package static let builtinModel = "all-MiniLM-L6-v2"
    package static let builtinNames = [builtinModel, "builtin"]

    package init(_ configuration: RouterConfiguration) {
        providers = configuration.providers
        byName = Dictionary(providers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let plain = configuration.models.filter { !$0.name.contains("*") }
        exact = Dictionary(
            plain.map { [byName] in ($0.name, Self.route($0, requested: $0.name, byName)) },
            uniquingKeysWith: { first, _ in first })
        names = plain.map(\.name)
        patterns = configuration.models.filter { $0.name.contains("*") }
            .map { (NamePattern($0.name), $0) }
            .sorted { $0.0.specificity > $1.0.specificity }
        let known = Set(ModelTable.names + configuration.modelInfo.map(\.model).filter { !$0.isEmpty })
        passedOn = known.subtracting(names + Self.builtinNames).sorted().compactMap { [providers, byName, patterns] name in
            Self.taker(of: name, providers, byName, patterns).map { (name, $0) }
        }
    }

    /// The provider that is asked first for a name that is passed on to it and that its dialect has; nil when there is none.
    /// What a pattern sends to a model of its own is not a name of that model.
    private static func taker(
        of name: String, _ providers: [ProviderConfiguration], _ byName: [String: ProviderConfiguration],
        _ patterns: [(pattern: NamePattern, model: ModelConfiguration)]
    ) -> String? {
        guard let match = patterns.first(where: { $0.pattern.matches(name) }) else {
            return providers.first { serves($0, name) }?.name
        }
        guard let first = match.model.targets.first, first.model.isEmpty, let provider = byName[first.provider],
            has(provider.dialect, name)
        else { return nil }
        return provider.name
    }

    /// Where `model` leads: its exact name, else the most specific pattern, else the providers that serve all of their names.
    /// - Throws: NOT_FOUND `model_not_found` with the nearest names.
    package func route(_ model: String) throws -> Route {
        if let configured = exact[model] { return configured }
        if let match = patterns.first(where: { $0.pattern.matches(model) }) {
            return Self.route(match.model, requested: model, byName)
        }
        let targets = providers.filter { Self.serves($0, model) }.map { Self.target($0, model) }
        if !targets.isEmpty { return Route(alias: model, targets: targets) }
        throw unknown(model)
    }

    /// The names clients may rely on, each with the provider asked first: configured ones, then the known models of providers
    /// that are asked for them by their own names. Patterns are no names.
    package func listed() -> [(name: String, provider: String)] {
        var rows = names.compactMap { name in exact[name].map { (name, $0.targets.first?.provider ?? "") } }
        if let builtin = providers.first(where: { $0.dialect == .builtin }), exact[Self.builtinModel] == nil {
            rows.append((Self.builtinModel, builtin.name))
        }
        return rows + passedOn
    }

    private static func route(
        _ model: ModelConfiguration, requested: String, _ byName: [String: ProviderConfiguration]
    ) -> Route {
        let targets = model.targets.compactMap { target in
            byName[target.provider].map {
                Self.target($0, target.model.isEmpty ? requested : target.model, weight: target.weight)
            }
        }
        return Route(
            alias: model.name.contains("*") ? requested : model.name, strategy: model.strategy, targets: targets,
            timeouts: model.timeouts, retry: model.retry, onStreamBreak: model.onStreamBreak,
            defaultMaxTokens: model.defaultMaxTokens, fallbacks: model.fallbacks, fallbackAnswer: model.fallbackAnswer)
    }

    private static func target(_ provider: ProviderConfiguration, _ model: String, weight: Int = 1) -> Target {
        Target(
            provider: provider.name, destination: provider.destination, dialect: provider.dialect,
            model: provider.modelName(model), weight: weight)
    }

    /// Whether a provider takes a name that no alias configures.
    private static func serves(_ provider: ProviderConfiguration, _ model: String) -> Bool {
        if provider.dialect == .builtin { return builtinNames.contains(model) }
        guard provider.serve == .all else { return false }
        return has(provider.dialect, model)
    }

    /// Whether `model` is a name of the dialect's publisher, which is asked for it in this dialect.
    private static func has(_ dialect: ProviderDialect, _ model: String) -> Bool {
        guard prefixes(dialect).contains(where: { model.hasPrefix($0) }) else { return false }
        return dialect != .openai || !isOnResponsesOnly(model)
    }

    private static func isOnResponsesOnly(_ model: String) -> Bool { ModelCatalog.builtin.facts(model).isOnResponsesOnly }

    /// Names that lead to a provider without being configured, as patterns.
    package static func served(by provider: ProviderConfiguration) -> [String] {
        if provider.dialect == .builtin { return builtinNames }
        return provider.serve == .all ? prefixes(provider.dialect).map { "\($0)*" } : []
    }

    private static func prefixes(_ dialect: ProviderDialect) -> [String] {
        switch dialect {
        case .openai: openAI
        case .openaiResponses: openAI + ["codex-mini", "computer-use-preview"]
        case .anthropic: ["claude-"]
        // Google's lists name models with their collection.
        case .gemini: ["gemini-", "models/gemini-"]
        case .bedrock, .builtin: []
        }
    }

    /// Names of fine-tuned models begin with `ft:`, whatever they were made from.
    private static let openAI = ["gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-", "ft:"]

    private func unknown(_ model: String) -> CallError {
        let shown = model.count > 100 ? model.prefix(100) + "…" : model[...]
        if Self.isOnResponsesOnly(model), providers.contains(where: { $0.dialect == .openai && $0.serve == .all }) {
            return CallError(
                .notFound, reason: "model_not_found",
                message:
                    "The model '\(shown)' does not exist here: OpenAI serves it at /v1/responses only, which takes a provider with "
                    + "dialect openai-responses; the one with dialect openai and serve: all is asked at /v1/chat/completions.")
        }
        let nearest = NearestNames.of(
            model, among: names + patterns.map(\.pattern.text) + listed().map(\.name).dropFirst(names.count))
        let hint =
            nearest.isEmpty
            ? "no model is configured under router.models"
            : "the nearest models are \(nearest.joined(separator: ", ")); GET /v1/models lists those there are"
        return CallError(.notFound, reason: "model_not_found", message: "The model '\(shown)' does not exist here: \(hint).")
    }
}
