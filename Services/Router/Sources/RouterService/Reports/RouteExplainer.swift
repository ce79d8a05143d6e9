import BulkheadAPI
import BulkheadCore
import BulkheadTokens
import Glibc

/// Tells what the router would do. Asks nobody and changes nothing.
package struct RouteExplainer: Sendable {
    package let settings: RouterSettings
    package let gate: TargetGate

    package init(settings: RouterSettings, gate: TargetGate) {
        self.settings = settings
        self.gate = gate
    }

    /// Tokens of a request nobody gave.
    fileprivate static let exampleInput = 1000
    /// - Throws: NOT_FOUND `model_not_found` with the nearest names.
    package func explain(_ arguments: ExplainArguments) throws -> RouteExplanation {
        let route = try settings.table.route(arguments.model)
        let now = MonotonicTime.now()
        let hindrances = route.targets.map { gate.look($0, now: now) }
        var rows = zip(route.targets, hindrances).map { row($0, $1, arguments.request) }
        let needs = arguments.request.map { RequestNeeds($0) }
        let obstacles = needs?.obstacles(route.targets, settings.catalog) ?? route.targets.map { _ in nil }
        for place in rows.indices { rows[place].obstacle = obstacles[place] }
        if rows.count == 1, let wish = needs?.unfit(settings.catalog.facts(rows[0].model)) {
            rows[0].obstacle = "\(wish); asked all the same, as the only target"
        }
        let choice = Choice(route: route, hindrances: hindrances, obstacles: obstacles, catalog: settings.catalog)
        let (first, why) = choice.first(needs, output: arguments.request?.maxTokens, &rows)
        let sketch = arguments.request
        let most = sketch?.maxTokens ?? RequestNeeds.usualOutput
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

    private func row(_ target: Target, _ hindrance: Hindrance?, _ sketch: RequestSketch?) -> RouteExplanation.Row {
        let (state, probe) = gate.breakers.look(target)
        let facts = settings.catalog.facts(target.model)
        let price = settings.catalog.price(target.model, at: time(nil))
        let tokens = sketch.map { inputTokens($0, target) }
        let output = (sketch?.maxTokens ?? RequestNeeds.usualOutput) * (sketch?.choices ?? 1)
        let usage = ChatAPI.Usage(inputTokens: tokens ?? Self.exampleInput, outputTokens: output)
        return RouteExplanation.Row(
            provider: target.provider, model: target.model, dialect: target.dialect.rawValue, breaker: state.rawValue,
            nextProbeMilliseconds: probe.map { max(0, Int(($0 - .now()).milliseconds)) },
            disabled: hindrance == .disabled, keptAway: hindrance.map { Self.words($0, breaker: state.rawValue) },
            weight: target.weight, context: facts.contextWindow, maxOutput: facts.maxOutput, tools: facts.takesTools,
            images: facts.takesImages, prefill: facts.takesPrefill, inputPrice: price.map { $0.input * 1000 },
            outputPrice: price.map { $0.output * 1000 }, estimatedCost: price?.cost(usage), inputTokens: tokens)
    }

    private static func words(_ hindrance: Hindrance, breaker: String) -> String {
        switch hindrance {
        case .disabled: "disabled"
        case .account(let refusal):
            (refusal.cause == .quota ? "account without credit" : "secret refused")
                + ", next try in \(Int(refusal.wait.milliseconds)) ms"
        case .breaker(let wait): breaker.hasPrefix("forced") ? breaker : "\(breaker), next probe in \(Int(wait.milliseconds)) ms"
        }
    }

    private func inputTokens(_ sketch: RequestSketch, _ target: Target) -> Int {
        let chat = ChatAPI.ChatRequest(messages: [.init(role: .user, parts: [.init(kind: .text, text: sketch.text)])])
        let counted = settings.accounting.counter.estimate(chat, TokenVocabulary.of(target.model))
        let sample = sketch.text.utf8.count
        guard sample > 0, sketch.bytes > sample else { return counted }
        return Int(Double(counted) * Double(sketch.bytes) / Double(sample))
    }
}

extension RequestNeeds {
    /// As the execution reckons, from what a body shows.
    fileprivate init(_ sketch: RequestSketch) {
        self.init(tools: sketch.tools > 0, images: sketch.images > 0, tokens: sketch.bytes / 4)
    }
}

/// The choice of the target that is asked first, with the parts the execution chooses with.
private struct Choice {
    let route: Route
    let hindrances: [Hindrance?]
    let obstacles: [String?]
    let catalog: ModelCatalog

    /// - Parameter rows: get their shares.
    func first(_ needs: RequestNeeds?, output: Int?, _ rows: inout [RouteExplanation.Row]) -> (first: String?, why: String) {
        let fit = route.targets.indices.filter { obstacles[$0] == nil }
        guard !fit.isEmpty else { return (nil, "no target can take the request: 400 invalid_request, nothing is sent") }
        let fallsBack = route.fallbacks.contains(.target)
        let open = fit.filter { hindrances[$0] == nil }
        switch route.strategy {
        case .weighted where fit.count > 1 && (open.count > 1 || !fallsBack):
            // Without a fallback to others chance decides among all of them.
            let pool = fallsBack ? open : fit
            let sum = pool.reduce(0) { $0 + rows[$1].weight }
            for index in pool { rows[index].sharePercent = (Double(rows[index].weight) * 1000 / Double(sum)).rounded() / 10 }
            return (nil, open.isEmpty ? nobody(fit) : "chance, by weight: see the shares")
        case .leastLatency where open.count > 1:
            return (nil, "the faster one of two chosen by chance, as their answers were of late")
        default: break
        }
        let order = ordered(fit, needs, output)
        guard let head = (fallsBack ? order[...] : order.prefix(1)).first(where: { hindrances[$0] == nil }) else {
            return (nil, nobody(fallsBack ? fit : Array(order.prefix(1))))
        }
        return (rows[head].label, why(head, fit, open, rows))
    }

    private func ordered(_ fit: [Int], _ needs: RequestNeeds?, _ output: Int?) -> [Int] {
        guard route.strategy == .cheapest else { return fit }
        let sorted = TargetOrder.cheapest(
            fit.map { route.targets[$0] }, catalog, input: needs?.tokens ?? RouteExplainer.exampleInput,
            output: output ?? RequestNeeds.usualOutput)
        return sorted.compactMap { target in fit.first { route.targets[$0] === target } }
    }

    private func why(_ head: Int, _ fit: [Int], _ open: [Int], _ rows: [RouteExplanation.Row]) -> String {
        if rows.count == 1 { return "the only target" }
        if open.count == 1, fit.count > 1 || open.count < rows.count { return "the only target that can be asked now" }
        if route.strategy == .cheapest {
            return rows[head].estimatedCost == nil ? "no price is known: the first of the list" : "the cheapest for this request"
        }
        return head == 0 ? "the first of the list" : "the first of the list that can be asked now"
    }

    /// What the caller is told when nobody of these can be asked.
    private func nobody(_ places: [Int]) -> String {
        let progress = TryProgress()
        for place in places {
            if let hindrance = hindrances[place] { progress.skip(route.targets[place], hindrance) }
        }
        let error = progress.allFailed.failure.error
        return "503 \(error.reason): \(error.message)"
    }
}

extension RouteExplanation.Row {
    package var label: String { "\(provider)/\(model)" }

    /// What keeps it away, else the breaker's state.
    package var state: String { keptAway ?? breaker }
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
