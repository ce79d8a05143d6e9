import BulkheadAPI
import BulkheadCore
import BulkheadTokens
import Glibc

/// Tells what the router would do. Asks nobody and changes nothing.
package struct RouteExplainer: Sendable {
    package let settings: RouterSettings
    package let breakers: TargetBreakers
    package let switches: TargetSwitches

    package init(settings: RouterSettings, breakers: TargetBreakers, switches: TargetSwitches) {
        self.settings = settings
        self.breakers = breakers
        self.switches = switches
    }

    /// Tokens of a request nobody gave.
    private static let exampleInput = 1000
    /// What an answer is taken to be when the client sets no limit.
    private static let usualOutput = 1024

    /// - Throws: NOT_FOUND `model_not_found` with the nearest names.
    package func explain(_ arguments: ExplainArguments) throws -> RouteExplanation {
        let route = try settings.table.route(arguments.model)
        var rows = route.targets.map { row($0, arguments.request) }
        // A route with one target has nothing to choose: it is asked, and its provider judges.
        if rows.count == 1 { rows[0].obstacle = rows[0].obstacle.map { "\($0); asked all the same, as the only target" } }
        let (first, why) = choose(route, &rows)
        let sketch = arguments.request
        let most = sketch?.maxTokens ?? Self.usualOutput
        let request = RouteExplanation.Request(
            dialect: sketch?.dialect, inputTokens: rows.compactMap(\.inputTokens).max() ?? Self.exampleInput,
            outputTokens: most * (sketch?.choices ?? 1), images: sketch?.images ?? 0, tools: sketch?.tools ?? 0,
            stream: sketch?.stream ?? false)
        return RouteExplanation(
            model: arguments.model, alias: route.alias, strategy: route.strategy.rawValue, request: request, first: first,
            why: why,
            targets: rows, rules: RouteRules(route, settings.catalog).all, fallbacks: route.fallbacks.map(\.rawValue),
            cache: settings.cache.exact.when.rawValue,
            cacheOutlook: CacheOutlook.of(sketch, settings.cache.exact, route))
    }

    private func row(_ target: Target, _ sketch: RequestSketch?) -> RouteExplanation.Row {
        let (state, probe) = breakers.look(target)
        let facts = settings.catalog.facts(target.model)
        let price = settings.catalog.price(target.model, at: time(nil))
        let tokens = sketch.map { inputTokens($0, target) }
        let output = (sketch?.maxTokens ?? Self.usualOutput) * (sketch?.choices ?? 1)
        let usage = ChatAPI.Usage(inputTokens: tokens ?? Self.exampleInput, outputTokens: output)
        return RouteExplanation.Row(
            provider: target.provider, model: target.model, dialect: target.dialect.rawValue, breaker: state.rawValue,
            nextProbeMilliseconds: probe.map { max(0, Int(($0 - .now()).milliseconds)) },
            disabled: switches.isDisabled(target.label), weight: target.weight,
            obstacle: sketch.flatMap { Self.obstacle($0, tokens ?? 0, facts) }, context: facts.contextWindow,
            maxOutput: facts.maxOutput, tools: facts.takesTools, images: facts.takesImages, prefill: facts.takesPrefill,
            inputPrice: price.map { $0.input * 1000 }, outputPrice: price.map { $0.output * 1000 },
            estimatedCost: price?.cost(usage), inputTokens: tokens)
    }

    private func inputTokens(_ sketch: RequestSketch, _ target: Target) -> Int {
        let chat = ChatAPI.ChatRequest(messages: [.init(role: .user, parts: [.init(kind: .text, text: sketch.text)])])
        let counted = settings.accounting.counter.estimate(chat, TokenVocabulary.of(target.model))
        let sample = sketch.text.utf8.count
        guard sample > 0, sketch.bytes > sample else { return counted }
        return Int(Double(counted) * Double(sketch.bytes) / Double(sample))
    }

    private static func obstacle(_ sketch: RequestSketch, _ tokens: Int, _ facts: ModelFacts) -> String? {
        if sketch.tools > 0, facts.takesTools == false { return "takes no tools" }
        if sketch.images > 0, facts.takesImages == false { return "takes no images" }
        // The count is rough: only what is far too long is kept away.
        if let context = facts.contextWindow, tokens > context + context / 4 {
            return "has a context of \(context) tokens, and the request about \(tokens)"
        }
        return nil
    }
}

// MARK: the choice

extension RouteExplainer {
    private func choose(_ route: Route, _ rows: inout [RouteExplanation.Row]) -> (first: String?, why: String) {
        let single = rows.count == 1
        let open = rows.indices.filter { rows[$0].isAskable && (single || rows[$0].obstacle == nil) }
        guard let head = open.first else { return (nil, Self.nobody(rows)) }
        if open.count == 1 { return (rows[head].label, single ? "the only target" : "the only target that can be asked now") }
        switch route.strategy {
        case .ordered:
            let why = head == 0 ? "the first of the list" : "the first of the list that can be asked now"
            return (rows[head].label, why)
        case .weighted:
            let sum = open.reduce(0) { $0 + rows[$1].weight }
            for index in open { rows[index].sharePercent = (Double(rows[index].weight) * 1000 / Double(sum)).rounded() / 10 }
            return (nil, "chance, by weight: see the shares")
        case .leastLatency: return (nil, "the faster one of two chosen by chance, as their answers were of late")
        case .cheapest:
            let best = open.min { (rows[$0].estimatedCost ?? .max, $0) < (rows[$1].estimatedCost ?? .max, $1) } ?? head
            let why =
                rows[best].estimatedCost == nil ? "no price is known: the first of the list" : "the cheapest for this request"
            return (rows[best].label, why)
        }
    }

    private static func nobody(_ rows: [RouteExplanation.Row]) -> String {
        if rows.allSatisfy(\.disabled) { return "every target is switched off: 503 target_disabled" }
        if rows.count > 1, rows.allSatisfy({ $0.obstacle != nil }) {
            return "no target can take the request: 400 invalid_request, nothing is sent"
        }
        let wait = rows.filter { !$0.disabled }.compactMap(\.nextProbeMilliseconds).min().map { min($0, 60_000) }
        return "every target is left alone or off: 503 breaker_open, Retry-After \((wait ?? 1000) / 1000 + 1) s"
    }
}

extension RouteExplanation.Row {
    package var label: String { "\(provider)/\(model)" }

    /// Whether the router would ask it now.
    package var isAskable: Bool {
        !disabled && breaker != "forced-open" && !(breaker == "open" && (nextProbeMilliseconds ?? 0) > 0)
    }

    /// The breaker's state, or what overrides it.
    package var state: String {
        if disabled { return "disabled" }
        return nextProbeMilliseconds.map { "\(breaker), next probe in \($0) ms" } ?? breaker
    }
}

/// What the exact cache does with a request.
enum CacheOutlook {
    static func of(_ sketch: RequestSketch?, _ cache: AnswerCacheConfiguration.Exact, _ route: Route) -> String {
        if cache.when == .off { return "off by configuration" }
        let kept = "looked up and kept for \(RouteRules.text(cache.ttl)); the same tenant, user and request get the answer again"
        guard let sketch else {
            let condition = cache.when == .deterministic ? "with temperature 0 or a seed: " : ""
            return "\(condition)\(kept); never with tools offered, and with bulkhead.cache off or cache-control: no-store"
        }
        if sketch.tools > 0 { return "not used: the request offers tools" }
        if cache.when == .deterministic, !sketch.isDeterministic {
            return "not used: the request has neither temperature 0 nor a seed, and router.cache.exact.when is deterministic"
        }
        switch sketch.cache {
        case "off": return "not used: the request says so"
        case "refresh": return "not looked up, as the request says; the answer is kept anew for \(RouteRules.text(cache.ttl))"
        default: return kept
        }
    }
}
