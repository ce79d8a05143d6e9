import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

struct TargetOrderTests {
    private let scores = TargetScores()
    private let affinity = ProviderAffinity(capacity: 2)
    private var order: TargetOrder { TargetOrder(scores: scores, affinity: affinity) }
    private let a = Target(provider: "a", destination: "a", dialect: .openai, model: "model-a", weight: 1)
    private let b = Target(provider: "b", destination: "b", dialect: .openai, model: "model-b", weight: 3)
    private let c = Target(provider: "c", destination: "c", dialect: .openai, model: "model-c", weight: 1)

    private func chat(_ text: String = "hi", image: Bool = false, tools: Bool = false) -> ChatAPI.ChatRequest {
        var parts = [ChatAPI.Part(kind: .text, text: text)]
        if image { parts.append(.init(kind: .image, url: "https://example.com/x.png")) }
        return .init(
            model: "m", messages: [.init(role: .user, parts: parts)], tools: tools ? [.init(name: "f", schemaJson: "{}")] : [])
    }

    private func names(
        _ chat: ChatAPI.ChatRequest, _ facts: [String: ModelFacts] = [:], by strategy: RoutingStrategy = .ordered,
        prices: [String: Int] = [:]
    ) throws -> [String] {
        let known = facts.map { ModelOverride(model: $0.key, facts: $0.value) }
        let priced = prices.map {
            ModelOverride(
                model: $0.key,
                price: DatedPrice(TokenPrice(TokenRates(input: $0.value * 1_000_000, output: $0.value * 1_000_000))))
        }
        let route = Route(alias: "m", strategy: strategy, targets: [a, b, c])
        return try order.targets(route, for: chat, ModelCatalog(overrides: known + priced)).map(\.provider)
    }

    @Test("weighted targets come first about as often as their share")
    func weighted() throws {
        let count = try (0 ..< 2500).filter { _ in try names(chat(), by: .weighted).first == "b" }.count
        // 1500 expected; ten standard deviations are 245.
        #expect((1255 ... 1745).contains(count))
    }

    @Test("the cheapest comes first; what has no price comes last")
    func cheapest() throws {
        #expect(try names(chat(), by: .cheapest, prices: ["model-b": 5, "model-c": 2]) == ["c", "b", "a"])
    }

    @Test("a slow target is avoided, one that fails is no fast one, and an unknown one is tried")
    func leastLatency() throws {
        let now = MonotonicTime.now()
        for (target, time) in [(a, Duration.milliseconds(900)), (b, .milliseconds(20)), (c, .milliseconds(400))] {
            scores.begin(target)
            scores.end(target, firstContent: time, now: now)
        }
        #expect(scores.cost(b, now: now) < scores.cost(c, now: now) && scores.cost(c, now: now) < scores.cost(a, now: now))
        let firsts = try (0 ..< 200).map { _ in try names(chat(), by: .leastLatency).first ?? "" }
        #expect(!firsts.contains("a"), "the worst of three never wins against one of the others")
        scores.begin(b)
        scores.end(b, firstContent: nil, now: now)
        #expect(scores.cost(b, now: now) > scores.cost(a, now: now))
        #expect(scores.cost(Target(provider: "n", destination: "n", dialect: .openai, model: "n"), now: now) == 0)
    }

    @Test("what is under way makes a target look slower, and a slow time fades")
    func load() {
        let now = MonotonicTime.now()
        scores.begin(a)
        scores.end(a, firstContent: .milliseconds(100), now: now)
        let idle = scores.cost(a, now: now)
        for _ in 0 ..< 3 { scores.begin(a) }
        #expect(scores.cost(a, now: now) > idle * 3.9)
        #expect(scores.cost(a, now: now + .seconds(120)) < idle)
    }

    @Test("a model that cannot take the request is not asked: images, tools, context")
    func unfit() throws {
        #expect(try names(chat(image: true), ["model-a": .init(takesImages: false)]) == ["b", "c"])
        #expect(try names(chat(tools: true), ["model-b": .init(takesTools: false)]) == ["a", "c"])
        let long = chat(String(repeating: "word ", count: 1000))
        #expect(try names(long, ["model-a": .init(contextWindow: 500), "model-b": .init(contextWindow: 2000)]) == ["b", "c"])
        #expect(try names(chat(), ["model-a": .init(takesTools: false, takesImages: false)]) == ["a", "b", "c"])
    }

    @Test("when no model can take it, the caller is told why")
    func noneFits() throws {
        let none = ModelFacts(takesImages: false)
        let error = #expect(throws: CallError.self) {
            try names(chat(image: true), ["model-a": none, "model-b": none, "model-c": none])
        }
        #expect(error?.code == .invalidArgument && error?.message.contains("model-a takes no images") == true)
    }

    @Test("reasoning goes back to who made it; what is forgotten is only no preference")
    func keeper() throws {
        func with(_ signature: String) -> ChatAPI.ChatRequest {
            var chat = self.chat()
            chat.messages.insert(.init(role: .assistant, parts: [.init(kind: .thinking, text: "", signature: signature)]), at: 0)
            return chat
        }
        affinity.note([.init(kind: .signature, signature: "s1")], by: "c")
        #expect(try names(with("s1")) == ["c", "a", "b"] && names(with("other")) == ["a", "b", "c"])
        affinity.note([.init(kind: .signature, signature: "s2"), .init(kind: .redactedThinking, signature: "s3")], by: "b")
        #expect(try names(with("s1")) == ["a", "b", "c"] && names(with("s3")) == ["b", "a", "c"])
    }
}
