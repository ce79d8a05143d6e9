import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

@Suite("What is cached") struct CacheRulesTests {
    private func chat() -> ChatAPI.ChatRequest { ChatAPI.ChatRequest(model: "m", temperature: 0, dialect: .openaiChat) }

    @Test("the scope says who may use the cache; requests that offer tools never may")
    func scope() {
        var tools = chat()
        tools.tools = [.init(name: "weather")]
        var warm = chat()
        warm.temperature = 0.7
        var seeded = warm
        seeded.seed = 1
        func covers(_ when: ExactCacheScope, _ chat: ChatAPI.ChatRequest) -> Bool {
            AnswerCacheConfiguration.Exact(when: when).covers(chat)
        }
        #expect(covers(.always, warm) && !covers(.always, tools) && !covers(.off, chat()))
        #expect(covers(.deterministic, chat()) && covers(.deterministic, seeded) && !covers(.deterministic, warm))
    }

    @Test("the client's wish decides whether it is looked up and kept")
    func policies() {
        func use(_ policy: RouterAPI.CachePolicy) -> CacheUse { CacheUse(policy, .init(), chat()) }
        #expect(use(.default).looks && use(.default).keeps && use(.default).outcome == .miss)
        #expect(!use(.off).looks && !use(.off).keeps && use(.off).outcome == .off)
        #expect(!use(.refresh).looks && use(.refresh).keeps && use(.refresh).outcome == .miss)
        #expect(!use(.noStore).looks && !use(.noStore).keeps)
    }

    @Test("incomplete, blocked and degraded answers are not kept")
    func objections() {
        let damages: [(what: String, word: String, change: (inout [ChatAPI.ChatEvent]) -> Void)] = [
            ("nothing", "incomplete", { $0 = [] }), ("no usage", "incomplete", { $0.removeLast() }),
            ("no finish", "incomplete", { $0.remove(at: 2) }), ("no start", "incomplete", { $0.removeFirst() }),
            ("a choice without its end", "incomplete", { $0.insert(.init(kind: .text, choice: 1, text: "b"), at: 2) }),
            ("filtered", "blocked", { $0[2].finish = .contentFilter }), ("paused", "incomplete", { $0[2].finish = .pause }),
            ("without credentials", "degraded", { $0[0].served?.degraded = ["credentials"] }),
        ]
        #expect(objection(answer("x")) == nil)
        for damage in damages {
            var events = answer("x")
            damage.change(&events)
            #expect(objection(events) == damage.word, "\(damage.what)")
        }
    }

    @Test("which store keeps an answer says nothing against it")
    func degradedStore() {
        var events = answer("x")
        events[0].served?.degraded = ["redis"]
        #expect(objection(events) == nil)
    }

    @Test("of several choices each must be whole")
    func choices() {
        var two = chat()
        two.choices = 2
        #expect(objection(answer("x"), two) == "incomplete")
    }

    @Test("a rule of a later part is asked too")
    func furtherRules() {
        let rule = KeepingRule { _, answer in answer.contains { $0.text.contains("@") } ? "personal" : nil }
        let cache = AnswerCache(maxEntries: 10, rules: KeepingRule.own + [rule], metrics: AnswerCacheMetrics())
        #expect(cache.objection(chat(), answer("x@example.org")) == "personal")
        #expect(cache.objection(chat(), answer("x")) == nil)
    }

    private func objection(_ events: [ChatAPI.ChatEvent], _ chat: ChatAPI.ChatRequest? = nil) -> String? {
        AnswerCache(maxEntries: 10, metrics: AnswerCacheMetrics()).objection(chat ?? self.chat(), events)
    }

    @Test("times of answers kept together lie a tenth apart at most")
    func spread() {
        let times = [0, 0.5, 1].map { KeepingTime(ttl: .seconds(100), isForStale: false, random: $0) }
        #expect(times.map { Int($0.fresh.milliseconds) } == [90_000, 100_000, 110_000])
        #expect(times[0].stale == .zero)
        #expect(KeepingTime(ttl: .seconds(100), isForStale: true, random: 0).stale == .seconds(24 * 3600))
    }

    @Test("a replay made no try, costs nothing and says what it saved; to a stream it comes in pieces")
    func replay() {
        let text = String(repeating: "Grüße ", count: 40)
        let streamed = CachedAnswer.replay(answer(text), as: .exact, streaming: true)
        #expect(streamed.first?.served?.cache == .exact && streamed.first?.served?.attempts == 0)
        #expect(streamed.filter { $0.kind == .text }.count > 1)
        #expect(streamed.map(\.text).joined() == text)
        #expect(streamed.last?.usage == .init(inputTokens: 5, outputTokens: 6, costNanousd: 0, savedNanousd: 7))
        #expect(CachedAnswer.replay(answer(text), as: .exact, streaming: false).count == 4)
    }

    @Test("an unknown cost saves an unknown amount")
    func unknownCost() {
        var events = answer("x")
        events[3].usage?.costNanousd = nil
        #expect(CachedAnswer.replay(events, as: .exact, streaming: false).last?.usage?.savedNanousd == nil)
    }

    @Test("a long replay travels in messages of bounded size")
    func batches() {
        let events = CachedAnswer.replay(answer(String(repeating: "x", count: 1 << 20)), as: .exact, streaming: true)
        let batches = CachedAnswer.batches(events)
        #expect(batches.count > 10 && batches.allSatisfy { $0.events.count <= 256 })
        #expect(batches.flatMap(\.events) == events)
    }
}

/// A whole answer.
func answer(_ text: String) -> [ChatAPI.ChatEvent] {
    [
        .init(kind: .start, served: .init(provider: "p", model: "m", attempts: 3, cache: .miss)),
        .init(kind: .text, text: text),
        .init(kind: .finish, finish: .stop),
        .init(kind: .usage, usage: .init(inputTokens: 5, outputTokens: 6, costNanousd: 7)),
    ]
}
