import BulkheadConfig

/// Refuses what models and providers say together and what can never work: names no provider can be asked for, orders without
/// what they go by, destinations that are not there, `serve: all` that is never reached.
enum TargetLint {
    /// - Parameter router: the section the configuration was read from.
    static func check(_ router: ConfigSection, _ configuration: RouterConfiguration) {
        let providers = Dictionary(configuration.providers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (section, model) in zip(router.list("models"), configuration.models) {
            for (place, target) in zip(section.list("targets"), model.targets) {
                guard let provider = providers[target.provider], !target.model.isEmpty else { continue }
                checkName(place, target.model, provider)
            }
        }
        checkPrices(router.list("models"), configuration)
        checkDestinations(router, configuration.providers)
        for (section, provider) in zip(router.list("providers"), configuration.providers) {
            checkServe(section, provider, configuration.models)
        }
    }

    /// The one thing the router reads of another section: the names a provider's destination can be. A file without that
    /// section is the router's alone, and then only the credentials service can tell.
    private static func checkDestinations(_ router: ConfigSection, _ providers: [ProviderConfiguration]) {
        guard let known = router.names(in: "credentials", under: "destinations") else { return }
        for (section, provider) in zip(router.list("providers"), providers) where provider.dialect != .builtin {
            section.reference("destination", provider.destination, among: known, what: "a name under credentials.destinations")
        }
    }

    private static func checkName(_ section: ConfigSection, _ model: String, _ provider: ProviderConfiguration) {
        switch provider.dialect {
        case .gemini, .bedrock:
            guard (try? PathSegment.encoded(provider.modelName(model))) == nil else { return }
            section.report(
                "model", found: model,
                expected: "a name without / \\ # ? %, such as \(example(provider.dialect)): "
                    + "the dialect \(provider.dialect.rawValue) writes it into a path")
        case .builtin where !RoutingTable.builtinNames.contains(model):
            section.report(
                "model", found: model,
                expected: "\(RoutingTable.builtinNames.joined(separator: " or ")): the builtin embedder has no other model")
        default: return
        }
    }

    private static func example(_ dialect: ProviderDialect) -> String {
        dialect == .gemini ? "gemini-2.5-flash" : "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    }

    private static func checkPrices(_ sections: [ConfigSection], _ configuration: RouterConfiguration) {
        guard configuration.models.contains(where: { $0.strategy == .cheapest }) else { return }
        let catalog = ModelCatalog(overrides: configuration.modelInfo)
        for (section, model) in zip(sections, configuration.models) where model.strategy == .cheapest && !model.targets.isEmpty {
            // Of a name that is yet to be asked for nothing is known.
            let isHopeless = model.targets.allSatisfy { !$0.model.isEmpty && catalog.price($0.model, at: .max) == nil }
            guard isHopeless else { continue }
            section.report(
                "strategy", found: "cheapest, and no target has a known price",
                expected: "another strategy, or prices under router.model_info, e.g. "
                    + "{ model: \(model.targets[0].model), price: { input: 0.25, output: 2 } }")
        }
    }

    private static func checkServe(_ section: ConfigSection, _ provider: ProviderConfiguration, _ models: [ModelConfiguration]) {
        guard provider.serve == .all, provider.dialect != .builtin else { return }
        let served = RoutingTable.served(by: provider)
        guard !served.isEmpty else {
            return section.report(
                "serve", found: "all, with the dialect \(provider.dialect.rawValue)",
                expected: "listed, and its models under router.models (a pattern such as eu.anthropic.* will do): "
                    + "no name belongs to this dialect alone")
        }
        let patterns = models.filter { $0.name.contains("*") }.map { NamePattern($0.name) }
        let names = served + (provider.dialect == .openai ? ModerationRoute.prefixes.map { "\($0)*" } : [])
        let before = names.compactMap { name in patterns.first { $0.coversAll(of: name) } }
        guard before.count == names.count, let first = before.first else { return }
        section.report(
            "serve", found: "all, and the pattern \(first.text) under router.models takes its names",
            expected: "listed, or patterns that leave it names: they are asked first")
    }
}
