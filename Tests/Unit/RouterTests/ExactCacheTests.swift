import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

struct ExactCacheTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private func chat(_ text: String = "hello") -> ChatAPI.ChatRequest {
        ChatAPI.ChatRequest(
            model: "m", messages: [.init(role: .user, parts: [.init(kind: .text, text: text)])], temperature: 0,
            dialect: .openaiChat)
    }

    private func key(_ chat: ChatAPI.ChatRequest, alias: String = "m", tenant: String = "t", user: String = "u") throws
        -> CacheKey
    {
        try CacheKey(chat, alias: alias, metadata: CallMetadata(tenant: tenant, user: user))
    }

    private func answer(_ text: String) -> [ChatAPI.ChatEvent] {
        [
            .init(kind: .start, served: .init(provider: "p", model: "m", attempts: 3, cache: .miss)),
            .init(kind: .text, text: text),
            .init(kind: .finish, finish: .stop),
            .init(kind: .usage, usage: .init(inputTokens: 5, outputTokens: 6, costNanousd: 7)),
        ]
    }

    @Test("the same request has the same key, streamed or not")
    func sameKey() throws {
        var streamed = chat()
        streamed.stream = true
        #expect(try key(chat()) == key(chat()))
        #expect(try key(chat()) == key(streamed))
    }

    @Test("whatever may change the answer changes the key")
    func otherKey() throws {
        let changes: [(inout ChatAPI.ChatRequest) -> Void] = [
            { $0.messages[0].parts[0].text += "!" }, { $0.messages[0].role = .system }, { $0.messages[0].name = "anna" },
            { $0.messages.insert(.init(role: .system), at: 0) }, { $0.temperature = 0.1 }, { $0.temperature = nil },
            { $0.topP = 0.5 },
            { $0.maxTokens = 7 }, { $0.seed = 7 }, { $0.stop = ["x"] }, { $0.choices = 2 }, { $0.logprobs = true },
            { $0.presencePenalty = 0.5 }, { $0.responseFormatJson = "{}" }, { $0.endUser = "anna" },
            { $0.reasoningEffort = "low" },
            { $0.extraJson = #"{"x":1}"# }, { $0.dialect = .anthropicMessages },
        ]
        var keys = [try key(chat()), try key(chat(), alias: "n")]
        for change in changes {
            var changed = chat()
            change(&changed)
            keys.append(try key(changed))
        }
        #expect(Set(keys).count == changes.count + 2)
    }

    @Test("tenants and users never share a key, however their names run together")
    func partitions() throws {
        let keys = [("t", "u"), ("t2", "u"), ("t", "u2"), ("tu", ""), ("", "tu")].map {
            try? key(chat(), tenant: $0.0, user: $0.1)
        }
        #expect(Set(keys).count == 5)
    }

    @Test("the scope says who may use the cache; tools never may")
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

    @Test("an answer is found until its time is over")
    func ttl() throws {
        let cache = ExactCache(.init(ttl: .seconds(10)))
        let key = try key(chat())
        #expect(cache.lookup(key, now: start) == nil)
        cache.store(key, answer("a"), now: start)
        #expect(cache.lookup(key, now: start + .seconds(9)) == answer("a"))
        #expect(cache.lookup(key, now: start + .seconds(10)) == nil)
        #expect(cache.statistics.entries == 0 && cache.statistics.bytes == 0 && cache.statistics.expired == 1)
    }

    @Test("the least recently used answer goes first")
    func evictsLeastRecentlyUsed() throws {
        let cache = ExactCache(.init(maxEntries: 3))
        let keys = try (0 ..< 4).map { try key(chat("\($0)")) }
        for index in 0 ..< 3 { cache.store(keys[index], answer("\(index)"), now: start) }
        #expect(cache.lookup(keys[0], now: start) != nil)
        cache.store(keys[3], answer("3"), now: start)
        #expect(keys.map { cache.lookup($0, now: start) != nil } == [true, false, true, true])
        #expect(cache.statistics.evicted == 1)
    }

    @Test("the memory of all answers is bounded, and one answer takes no large share of it")
    func evictsByBytes() throws {
        let cache = ExactCache(.init())
        let text = String(repeating: "x", count: 1 << 20)
        for index in 0 ..< 100 { cache.store(try key(chat("\(index)")), answer(text), now: start) }
        #expect(cache.statistics.bytes <= ExactCache.maxBytes && cache.statistics.entries > 50)
        cache.store(try key(chat("huge")), answer(String(repeating: text, count: 5)), now: start)
        #expect(cache.lookup(try key(chat("huge")), now: start) == nil)
    }

    @Test("purging forgets all, storing again replaces")
    func purge() throws {
        let cache = ExactCache(.init())
        let key = try key(chat())
        cache.store(key, answer("a"), now: start)
        cache.store(key, answer("b"), now: start)
        #expect(cache.lookup(key, now: start) == answer("b"))
        #expect(cache.purge() == 1)
        #expect(cache.lookup(key, now: start) == nil && cache.statistics.bytes == 0)
    }

    @Test("a replay made no try and costs nothing; to a stream it comes in pieces")
    func replay() {
        let text = String(repeating: "Grüße ", count: 40)
        let streamed = CachedAnswer.replay(answer(text), streaming: true)
        #expect(streamed.first?.served?.cache == .exact && streamed.first?.served?.attempts == 0)
        #expect(streamed.filter { $0.kind == .text }.count > 1)
        #expect(streamed.map(\.text).joined() == text)
        #expect(streamed.last?.usage == .init(inputTokens: 5, outputTokens: 6, costNanousd: 0))
        #expect(CachedAnswer.replay(answer(text), streaming: false).count == 4)
    }

    @Test("only whole answers are kept")
    func whole() {
        let whole = answer("x")
        #expect(CachedAnswer.isWhole(whole))
        #expect(
            !CachedAnswer.isWhole([]) && !CachedAnswer.isWhole(Array(whole.dropLast()))
                && !CachedAnswer.isWhole(whole.filter { $0.kind != .finish }))
    }
}
