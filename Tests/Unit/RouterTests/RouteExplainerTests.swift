import BulkheadConfig
import BulkheadCore
import BulkheadResilience
import RouterService
import Testing

struct RouteExplainerTests {
    private let breakers = TargetBreakers(.init(failures: 3, minRequests: 100, openFor: .seconds(30)))
    private let switches = TargetSwitches()
    private let cooldowns = CredentialCooldowns()
    private var gate: TargetGate { TargetGate(breakers: breakers, cooldowns: cooldowns, switches: switches) }

    private func explain(
        _ route: String, body: String? = nil, cache: String = "{ exact: { when: always, ttl: 1h } }"
    ) throws -> RouteExplanation {
        let text = """
            router:
              providers:
                - { name: a, destination: a, dialect: openai }
                - { name: b, destination: b, dialect: anthropic }
              model_info:
                - { model: small, context: 1000, tools: true, images: false, price: { input: 1, output: 2 } }
                - { model: large, context: 100000, tools: true, images: true, prefill: true, price: { input: 10, output: 20 } }
                - { model: plain, tools: false }
              cache: \(cache)
              models:
                - { name: m, \(route) }
            """
        let settings = RouterSettings(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
        let sketch = try body.map { try RequestSketch(Array($0.utf8)) }
        return try RouteExplainer(settings: settings, gate: gate)
            .explain(ExplainArguments(model: "m", request: sketch))
    }

    private static let both = "targets: [{ provider: a, model: small }, { provider: b, model: large }]"

    private func action(_ code: String, _ told: RouteExplanation) throws -> String {
        try #require(told.rules.first { $0.code == code }, "no rule \(code)").action
    }

    @Test("the first target that can be asked is named, and why not the ones before it")
    func first() throws {
        #expect(try explain(Self.both).first == "a/small")
        breakers.force("a/small", open: true, now: .now())
        let open = try explain(Self.both)
        #expect(open.first == "b/large" && open.targets[0].breaker == "forced-open")
        _ = try switches.set("b/large", disabled: true)
        let none = try explain(Self.both)
        #expect(none.first == nil && none.why.contains("503") && none.targets[1].disabled)
        breakers.force("a/small", open: nil, now: .now())
        #expect(try explain(Self.both).first == "a/small")
        _ = try switches.set("a/small", disabled: true)
        #expect(try explain(Self.both).why.contains("target_disabled"))
    }

    @Test("a request goes to a target that can take it")
    func capabilities() throws {
        let image = """
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}
            """
        let shown = try explain(Self.both, body: image)
        #expect(shown.first == "b/large" && shown.targets[0].obstacle == "takes no images" && shown.targets[1].obstacle == nil)
        let long =
            "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"\(String(repeating: "word ", count: 3000))\"}]}"
        let told = try explain(Self.both, body: long)
        #expect(told.first == "b/large" && told.targets[0].obstacle?.contains("context of 1000 tokens") == true)
        let tools =
            "{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}], \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]}"
        let two = "targets: [{ provider: a, model: plain }, { provider: b, model: plain }]"
        #expect(try explain(two, body: tools).why.contains("400"))
        #expect(try explain("targets: [{ provider: a, model: plain }]", body: tools).first == "a/plain")
    }

    @Test("costs are for the request, unknown prices are told as such")
    func costs() throws {
        let body =
            "{\"model\": \"m\", \"max_tokens\": 500, \"n\": 2, \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}"
        let told = try explain(
            "targets: [{ provider: a, model: small }, { provider: b, model: large }, { provider: a, model: plain }]", body: body)
        let input = try #require(told.targets[0].inputTokens)
        #expect(input >= 1 && input < 20 && told.request.outputTokens == 1000)
        #expect(told.targets[0].estimatedCost == input * 1000 + 1000 * 2000)
        #expect(told.targets[1].estimatedCost == input * 10_000 + 1000 * 20_000)
        #expect(told.targets[2].estimatedCost == nil)
    }

    @Test("weights are told as shares of what can be asked, the cheapest by its price")
    func strategies() throws {
        let weighted = "strategy: weighted, targets: [{ provider: a, model: small, weight: 3 }, { provider: b, model: large }]"
        #expect(try explain(weighted).targets.map(\.sharePercent) == [75, 25])
        let cheapest = "strategy: cheapest, targets: [{ provider: b, model: large }, { provider: a, model: small }]"
        #expect(try explain(cheapest).first == "a/small")
    }

    @Test("every class of errors is told, with the route's own limits and waits")
    func rules() throws {
        let limits = "timeouts: { connect: 3s, first_token: 250ms, between_tokens: 45s, total: 10m }"
        let route = "\(Self.both), \(limits), retry: { tries_per_target: 3, max_tries: 4, base: 250ms, max: 10s }"
        let told = try explain(route)
        #expect(
            told.rules.map(\.code) == [
                "invalid_request", "content_policy_violation", "context_length_exceeded", "upstream_auth", "upstream_forbidden",
                "insufficient_quota", "credentials_unavailable", "upstream_error", "rate_limited", "retry_after_too_long",
                "silent", "broken_answer", "stream_broken", "breaker_open", "target_disabled", "all_open", "tries_used_up",
                "out_of_time", "all_failed",
            ])
        #expect(try action("upstream_error", told).contains("3 tries in all, after random waits of at most 250 ms, 500 ms"))
        #expect(try action("context_length_exceeded", told).contains("b/large (100000)"))
        #expect(try action("invalid_request", told).contains("nobody else is asked"))
        #expect(told.rules.first { $0.code == "silent" }?.on.contains("250 ms") == true)
        #expect(told.rules.first { $0.code == "stream_broken" }?.on.contains("45 s") == true)
        #expect(told.rules.first { $0.code == "retry_after_too_long" }?.on.contains("10 s") == true)
    }

    @Test(
        "what follows a broken stream is that of the policy",
        arguments: [
            ("error", "nobody else"), ("replay", "answers anew"), ("continue", "goes on with the text"),
            ("buffer", "seen nothing"),
        ])
    func streamBreak(policy: String, words: String) throws {
        #expect(try action("stream_broken", explain("\(Self.both), on_stream_break: \(policy)")).contains(words))
    }

    @Test("with a single target nothing is promised of a next one, and fallbacks stand in their order")
    func single() throws {
        let told = try explain(
            "targets: [{ provider: a, model: small }], fallbacks: [target, stale_cache, answer], fallback_answer: later")
        #expect(told.rules.allSatisfy { !$0.action.contains("the next target") })
        let last = try action("all_failed", told)
        let stale = try #require(last.range(of: "stale")).lowerBound
        #expect(stale < (try #require(last.range(of: "configured answer"))).lowerBound)
    }

    @Test("the cache's part is told for the request")
    func cache() throws {
        func outlook(_ body: String, _ when: String = "always") throws -> String {
            try explain(Self.both, body: body, cache: "{ exact: { when: \"\(when)\" } }").cacheOutlook
        }
        #expect(try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}]}").contains("kept for 1 h"))
        #expect(try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}], \"tools\": [{}]}").contains("offers tools"))
        #expect(
            try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}], \"bulkhead\": {\"cache\": \"off\"}}").contains(
                "not used"))
        #expect(try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}]}", "deterministic").contains("not used"))
        #expect(
            try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}], \"seed\": 1}", "deterministic").contains(
                "looked up"))
        #expect(try outlook("{\"model\": \"m\", \"messages\": [{\"role\": \"user\"}]}", "off").contains("off by configuration"))
    }

    @Test("an account that is left alone keeps its targets away, as it does when a request comes")
    func account() throws {
        guard case .success(let permit) = cooldowns.admit("a", now: .now()) else { return #expect(Bool(false)) }
        let refused = TargetFailure(.badCredential, CallError(.failedPrecondition, message: "401"))
        for _ in 1 ... 2 { cooldowns.record("a", permit, refused, now: .now()) }
        let told = try explain(Self.both)
        #expect(told.first == "b/large" && told.targets[0].keptAway?.hasPrefix("secret refused, next try in") == true)
        let alone = try explain("targets: [{ provider: a, model: small }]")
        #expect(alone.first == nil && alone.why.contains("503") && alone.why.contains("refused the stored secret"))
        // Looking has used no probe up.
        #expect(try explain(Self.both).targets[0].keptAway != nil)
        guard case .failure(let refusal) = gate.admit(try #require(target("a", "small")), now: .now()) else {
            return #expect(Bool(false), "the execution would ask it")
        }
        #expect(refusal != .disabled)
    }

    private func target(_ provider: String, _ model: String) -> Target? {
        Target(provider: provider, destination: provider, dialect: .openai, model: model)
    }

    @Test("without a fallback to other targets nobody else is asked when the first one is away")
    func noFallback() throws {
        let route = "\(Self.both), fallbacks: [answer], fallback_answer: later, strategy: cheapest"
        #expect(try explain(route).first == "a/small")
        breakers.force("a/small", open: true, now: .now())
        let told = try explain(route)
        #expect(told.first == nil && told.why.contains("503 breaker_open"))
    }

    @Test("after a cut the same target is asked again, and a context nobody knows counts as the usual one")
    func sharedRules() throws {
        let alone = try explain("targets: [{ provider: a, model: small }], on_stream_break: replay")
        #expect(try action("stream_broken", alone).contains("the same target"))
        let unknown = try explain("targets: [{ provider: a, model: unknown }, { provider: b, model: large }]")
        #expect(try action("context_length_exceeded", unknown).contains("b/large (100000)"), "as the execution takes it")
    }

    @Test("an unknown model is refused with the nearest names")
    func unknown() throws {
        let settings = RouterSettings(
            try loadConfiguration(
                RouterConfiguration.self,
                text:
                    "router:\n  providers: [{ name: a, destination: a, dialect: openai }]\n  models: [{ name: assistant, targets: [{ provider: a, model: x }] }]",
                file: "t.yaml"
            ).service)
        let explainer = RouteExplainer(settings: settings, gate: gate)
        let error = #expect(throws: CallError.self) { _ = try explainer.explain(ExplainArguments(model: "asistant")) }
        #expect(error?.message.contains("assistant") == true)
    }

    @Test("the operator's lists tell state, price and tries of every target")
    func reports() throws {
        let text = """
            router:
              providers:
                - { name: a, destination: a, dialect: openai, serve: all }
                - { name: b, destination: b, dialect: anthropic }
              models:
                - { name: m, targets: [{ provider: a, model: gpt-4o }, { provider: b, model: unheard-of }] }
            """
        let settings = RouterSettings(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
        let tallies = TargetTallies()
        let target = try settings.table.route("m").targets[0]
        tallies.add(target, failed: true)
        tallies.add(target, failed: false)
        _ = try switches.set("b/unheard-of", disabled: true)
        let reports = ModelReports(settings: settings, breakers: breakers, switches: switches, tallies: tallies)
        let details = try #require(reports.models().first).details
        #expect(details.map(\.state) == ["closed", "disabled"] && details.map(\.hasPrice) == [true, false])
        #expect(details[0].tries == 2 && details[0].failures == 1 && details[1].tries == 0)
        let providers = reports.providers()
        #expect(providers[0].serves.contains("gpt-*") && providers[0].tries == 2 && providers[1].unavailable == ["b/unheard-of"])
        #expect(providers.map(\.models) == [["m"], ["m"]])
    }
}
