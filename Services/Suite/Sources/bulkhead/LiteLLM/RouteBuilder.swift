import BulkheadConfig

/// What holds for all groups.
struct RouteSettings {
    /// As written; nil: LiteLLM's simple-shuffle.
    let strategy: String?
    let strategyLine: Int
    let retries: Int?
    let total: Double?
    let firstToken: Double?

    init(_ router: ImportSection, _ library: ImportSection) {
        strategy = router.text("routing_strategy")
        strategyLine = router.line("routing_strategy")
        let retries = router.number("num_retries") ?? library.number("num_retries")
        _ = library.number("num_retries")
        self.retries = retries.map { Int(min($0, 19)) }
        total = router.number("timeout") ?? library.number("request_timeout")
        _ = library.number("request_timeout")
        firstToken = router.number("stream_timeout")
    }
}

/// Makes a route of the deployments that share a name.
struct RouteBuilder {
    let deployments: [Deployment]
    let places: [ProviderEndpoint: Int]
    let settings: RouteSettings
    let notes: ImportNotes
    /// Targets of one route.
    private static let mostTargets = 100

    init(deployments: [Deployment], places: [ProviderEndpoint: Int], settings: RouteSettings, notes: ImportNotes) {
        self.deployments = deployments
        self.places = places
        self.settings = settings
        self.notes = notes
        guard let strategy = settings.strategy, Self.strategies[strategy] == nil else { return }
        notes.add(settings.strategyLine, "the routing strategy \(ImportNotes.shown(strategy)): spread by weight instead")
    }

    private static let strategies = [
        "simple-shuffle": "weighted", "latency-based-routing": "least_latency", "cost-based-routing": "cheapest",
    ]

    func route(_ name: String) -> ImportedRoute {
        let group = deployments.filter { $0.name == name }.prefix(Self.mostTargets)
        let isOrdered = Set(group.map { $0.order ?? .infinity }).count > 1
        let sorted = isOrdered ? group.enumerated().sorted { rank($0) < rank($1) }.map(\.element) : Array(group)
        let weights = isOrdered ? sorted.map { _ in 1 } : Self.weights(sorted)
        var targets: [ImportedRoute.Target] = []
        for (deployment, weight) in zip(sorted, weights) {
            guard let place = places[deployment.endpoint] else { continue }
            if let same = targets.firstIndex(where: { $0.provider == place && $0.model == deployment.model }) {
                targets[same].weight = min(1_000_000, targets[same].weight + weight)
                notes.add(deployment.line, "\(ImportNotes.shown(name)): the same target again; its weight was added to the first")
            } else {
                targets.append(.init(provider: place, model: deployment.model, weight: weight))
            }
        }
        let spread = spread(name, group, of: targets)
        let limit = { (own: KeyPath<Deployment, Double?>) in group.compactMap { $0[keyPath: own] }.max() }
        return ImportedRoute(
            name: name, strategy: targets.count > 1 ? (isOrdered ? "ordered" : spread) : nil, targets: targets,
            total: limit(\.timeout) ?? settings.total, firstToken: limit(\.streamTimeout) ?? settings.firstToken,
            maxTokens: group.compactMap(\.maxTokens).max(), retries: settings.retries)
    }

    private func spread(_ name: String, _ group: ArraySlice<Deployment>, of targets: [ImportedRoute.Target]) -> String {
        let spread = Self.strategies[settings.strategy ?? "simple-shuffle"] ?? "weighted"
        guard spread == "cheapest", targets.count > 1, !group.contains(where: Self.hasPrice), let line = group.first?.line else {
            return spread
        }
        notes.add(
            line,
            "\(ImportNotes.shown(name)): spread by weight, as no price is known: give prices under router.model_info and write "
                + "strategy: cheapest")
        return "weighted"
    }

    /// Whether the router will know a price, as far as that can be told from here: the file's, or one a publisher lists.
    private static func hasPrice(_ deployment: Deployment) -> Bool {
        if deployment.info.input != nil, deployment.info.output != nil { return true }
        return ["gpt-", "o1", "o3", "o4"].contains { deployment.model.hasPrefix($0) }
            || ["claude-", "gemini-"].contains { deployment.model.contains($0) }
    }

    private func rank(_ entry: (offset: Int, element: Deployment)) -> (Double, Int) {
        (entry.element.order ?? .infinity, entry.offset)
    }

    /// Whole numbers from 1 in the proportions of the file: its weights, else its rates, else equal ones.
    private static func weights(_ group: [Deployment]) -> [Int] {
        let given = group.map { $0.weight ?? 0 }
        let rates = group.map { $0.rate ?? 0 }
        let shares = given.contains { $0 > 0 } ? given : rates.contains { $0 > 0 } ? rates : group.map { _ in 1 }
        let whole = shares.allSatisfy { $0 == $0.rounded() && $0 >= 1 && $0 <= 1000 }
        let largest = shares.max() ?? 1
        return shares.map { whole ? Int($0) : max(1, Int(($0 / largest * 1000).rounded())) }
    }

    /// `route` with the targets of others behind its own: LiteLLM's fallbacks.
    func extended(_ route: ImportedRoute, by others: [ImportedRoute]) -> ImportedRoute {
        var extended = route
        for target in others.flatMap(\.targets)
        where !extended.targets.contains(where: { $0.provider == target.provider && $0.model == target.model })
            && extended.targets.count < Self.mostTargets
        {
            extended.targets.append(.init(provider: target.provider, model: target.model, weight: 1))
        }
        guard extended.targets.count > route.targets.count else { return route }
        if route.targets.count == 1 {
            extended.strategy = "ordered"
        } else if route.strategy != "ordered" {
            // There is one order for all targets: the own ones get nearly all of the weight.
            extended.strategy = "weighted"
            for place in route.targets.indices {
                extended.targets[place].weight = min(1_000_000, route.targets[place].weight * 1000)
            }
            noteSpread(route)
        }
        return extended
    }

    /// A group with fallbacks of its own is one list here, and so has one order.
    private func noteSpread(_ route: ImportedRoute) {
        let line = deployments.first { $0.name == route.name }?.line ?? 1
        let name = ImportNotes.shown(route.name)
        let given: String? =
            switch route.strategy {
            case "least_latency": "not by latency any more"
            case "cheapest": "not by price any more"
            default: nil
            }
        let lost = given.map { ", \($0): for that, take the fallbacks out and write strategy: \(route.strategy ?? "")" } ?? ""
        notes.add(
            line,
            "\(name): spread by weight, with its fallbacks at a thousandth of the weight: now and then one of them is asked "
                + "first\(lost)")
    }
}

/// Reads `fallbacks` in all the places and forms LiteLLM has for them.
struct FallbackReader {
    private var lists: [String: [String]] = [:]
    private var defaults: [String] = []
    private let known: Set<String>

    init(_ router: ImportSection, _ library: ImportSection, _ notes: ImportNotes, known: Set<String>) {
        self.known = known
        for section in [library, router] {
            for key in ["fallbacks", "context_window_fallbacks"] {
                guard let value = section.value(key) else { continue }
                if key == "context_window_fallbacks" {
                    notes.add(value.line, "context_window_fallbacks: these models are asked after other errors too")
                }
                take(value, notes)
            }
            if let value = section.value("default_fallbacks") { defaults += names(value, notes) }
        }
    }

    /// Names of groups, each once, never the group itself.
    func fallbacks(of group: String) -> [String] {
        var seen: Set<String> = [group]
        return (lists[group] ?? lists["*"] ?? defaults).filter { seen.insert($0).inserted }
    }

    private mutating func take(_ value: ForeignYAML, _ notes: ImportNotes) {
        let maps = value.items ?? [value]
        for (group, line, value) in maps.compactMap(\.entries).flatMap({ $0 }) {
            if group != "*", !known.contains(group) {
                notes.add(line, "fallbacks of \(ImportNotes.shown(group)), which is no imported model; left out")
            }
            lists[group, default: []] += names(value, notes)
        }
    }

    private func names(_ value: ForeignYAML, _ notes: ImportNotes) -> [String] {
        let items = value.items ?? [value]
        return items.compactMap { item in
            guard let name = item.text, known.contains(name) else {
                notes.add(item.line, "the fallback \(ImportNotes.shown(item.text ?? "")) is no imported model; left out")
                return nil
            }
            return name
        }
    }
}
