import BulkheadAPI
import BulkheadCore
import Glibc

/// What a request needs of a model.
package struct RequestNeeds: Sendable, Equatable {
    package var tools: Bool
    package var images: Bool
    /// Input and the output that is asked for, about; tokens.
    package var tokens: Int

    /// What an answer is taken to be when the client sets no limit; tokens.
    package static let usualOutput = 1024

    /// - Parameter tokens: of input, about.
    package init(tools: Bool, images: Bool, tokens: Int) {
        self.tools = tools
        self.images = images
        self.tokens = tokens
    }

    /// - Parameter chat: looked over once; a token is taken for four bytes.
    package init(_ chat: ChatAPI.ChatRequest) {
        var bytes = 0
        var images = false
        for message in chat.messages {
            for part in message.parts {
                if part.kind == .image {
                    images = true
                } else {
                    bytes += part.text.utf8.count + (part.json?.utf8.count ?? 0)
                }
            }
        }
        for tool in chat.tools { bytes += tool.schemaJson.utf8.count + (tool.description?.utf8.count ?? 0) }
        tools = !chat.tools.isEmpty
        self.images = images
        tokens = bytes / 4
    }

    /// Why each target is not asked, nil for those that are. A route with one target has nothing to choose: it is asked, and its
    /// provider judges.
    package func obstacles(_ targets: [Target], _ catalog: ModelCatalog) -> [String?] {
        targets.map { targets.count > 1 ? unfit(catalog.facts($0.model)) : nil }
    }

    /// Why a model cannot take the request; nil when it can, as far as is known. The text continues "it".
    package func unfit(_ facts: ModelFacts) -> String? {
        if tools, facts.takesTools == false { return "takes no tools" }
        if images, facts.takesImages == false { return "takes no images" }
        // The count is rough: only what is far too long is kept away.
        if let window = facts.contextWindow, tokens > window + window / 4 {
            return "has a context of \(window) tokens, and the request about \(tokens)"
        }
        return nil
    }
}

/// Puts the targets of a route into the order in which they are tried.
package struct TargetOrder: Sendable {
    package let scores: TargetScores
    package let affinity: ProviderAffinity

    package init(scores: TargetScores, affinity: ProviderAffinity) {
        self.scores = scores
        self.affinity = affinity
    }

    /// Targets that can take the request, the first to be tried first.
    /// - Throws: INVALID_ARGUMENT when none of them can.
    package func targets(
        _ route: Route, for chat: ChatAPI.ChatRequest, _ catalog: ModelCatalog
    ) throws(CallError) -> [Target] {
        guard route.targets.count > 1 else { return route.targets }
        let needs = RequestNeeds(chat)
        let judged = Array(zip(route.targets, needs.obstacles(route.targets, catalog)))
        let fit = judged.filter { $0.1 == nil }.map(\.0)
        guard !fit.isEmpty else {
            let reasons = judged.map { "\($0.model) \($1 ?? "")" }
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "None of the models behind '\(route.alias)' can take the request: \(reasons.joined(separator: "; ")).")
        }
        let ordered = order(fit, route.strategy, catalog, input: needs.tokens, output: chat.maxTokens ?? RequestNeeds.usualOutput)
        guard let keeper = affinity.provider(of: chat), let place = ordered.firstIndex(where: { $0.provider == keeper }) else {
            return ordered
        }
        return [ordered[place]] + ordered[..<place] + ordered[(place + 1)...]
    }

    /// The targets in the order of a strategy; those that are equal keep the order of the configuration.
    /// - Parameters:
    ///   - input: tokens the request has, about.
    ///   - output: tokens the answer may have.
    package func order(
        _ targets: [Target], _ strategy: RoutingStrategy, _ catalog: ModelCatalog, input: Int, output: Int
    ) -> [Target] {
        guard targets.count > 1 else { return targets }
        switch strategy {
        case .ordered: return targets
        case .weighted:
            // A random order in which a target comes first as often as its share.
            // Source: Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006.
            return Self.sorted(targets) { -pow(Double.random(in: 0 ..< 1), 1 / Double($0.weight)) }
        case .leastLatency: return leastLatency(targets)
        case .cheapest: return Self.cheapest(targets, catalog, input: input, output: output)
        }
    }

    /// The cheapest first; those without a price last.
    package static func cheapest(_ targets: [Target], _ catalog: ModelCatalog, input: Int, output: Int) -> [Target] {
        let now = time(nil)
        return sorted(targets) { target in
            catalog.price(target.model, at: now)?.cost(.init(inputTokens: input, outputTokens: output)).map { Double($0) }
                ?? .infinity
        }
    }

    /// The better of two at random comes first: always taking the best one would send every request there at once.
    private func leastLatency(_ targets: [Target]) -> [Target] {
        let now = MonotonicTime.now()
        let costs = targets.map { scores.cost($0, now: now) }
        let one = Int.random(in: targets.indices)
        let other = (one + Int.random(in: 1 ..< targets.count)) % targets.count
        let first = costs[one] <= costs[other] ? one : other
        let rest = targets.indices.filter { $0 != first }.sorted { (costs[$0], $0) < (costs[$1], $1) }
        return ([first] + rest).map { targets[$0] }
    }

    private static func sorted(_ targets: [Target], by key: (Target) -> Double) -> [Target] {
        targets.enumerated().map { (key: key($1), place: $0, target: $1) }
            .sorted { ($0.key, $0.place) < ($1.key, $1.place) }.map(\.target)
    }
}
