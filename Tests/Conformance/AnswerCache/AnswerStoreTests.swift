import BulkheadAPI
import BulkheadCore
import BulkheadRedis
import RedisFixture
import RouterService
import Testing

/// The implementations of the seam.
enum StoreKind: String, CaseIterable, Sendable {
    case memory, redis

    func with(_ body: @escaping @Sendable (any AnswerStore) async throws -> Void) async throws {
        switch self {
        case .memory: try await body(MemoryAnswers(maxEntries: 1000))
        case .redis:
            let server = try RedisServer()
            try await withClient(server.address) { client in
                try await eventually("redis is ready") { client.isReady }
                try await body(RedisAnswers(client))
            }
            server.kill()
        }
    }
}

func key(_ text: String, tenant: String = "t", user: String = "user:u") throws -> CacheKey {
    try CacheKey(.init(model: text), alias: "m", partition: CachePartition(tenant: tenant, user: user))
}

func answer(_ text: String) -> [ChatAPI.ChatEvent] {
    [
        .init(kind: .start, served: .init(provider: "p", model: "m", attempts: 1, cache: .miss)), .init(kind: .text, text: text),
        .init(kind: .finish, finish: .stop), .init(kind: .usage, usage: .init(inputTokens: 5, outputTokens: 6, costNanousd: 7)),
    ]
}

let hour = KeepingTime(ttl: .seconds(3600), isForStale: false, random: 0.5)

@Suite("Every store of answers", .serialized) struct AnswerStoreTests {
    @Test("gives back what was kept, to the same key only", arguments: StoreKind.allCases)
    func keeps(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            #expect(try await store.find(key("a"), now: now) == nil)
            store.keep(try key("a"), answer("x"), hour, now: now)
            #expect(try await store.find(key("a"), now: now) == KeptAnswer(events: answer("x"), isFresh: true))
            for other in [try key("b"), try key("a", tenant: "t2"), try key("a", user: "end:u")] {
                #expect(try await store.find(other, now: now) == nil)
            }
            #expect(store.statistics.hits == 1 && store.statistics.misses == 4 && store.statistics.stored == 1)
        }
    }

    @Test("a later answer replaces an earlier one", arguments: StoreKind.allCases)
    func replaces(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            store.keep(try key("a"), answer("x"), hour, now: now)
            store.keep(try key("a"), answer("y"), hour, now: now)
            #expect(try await store.find(key("a"), now: now)?.events == answer("y"))
            #expect(try await store.purge(nil) == 1)
        }
    }

    @Test("answers of any content and size survive, up to the bound", arguments: StoreKind.allCases)
    func contents(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            for text in ["", "Grüße \u{1F30A}", "\r\n$-1\r\n*3\r\n", String(repeating: "x", count: 1 << 20)] {
                store.keep(try key(text), answer(text), hour, now: now)
                #expect(try await store.find(key(text), now: now)?.events == answer(text))
            }
            store.keep(try key("huge"), answer(String(repeating: "x", count: 5 << 20)), hour, now: now)
            #expect(try await store.find(key("huge"), now: now) == nil)
            #expect(store.statistics.tooLarge == 1)
        }
    }

    @Test("an answer whose time is over is stale, and then gone", arguments: StoreKind.allCases)
    func times(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            // Redis keeps its own time: what is to be over is kept for a moment only.
            store.keep(
                try key("short"), answer("x"), KeepingTime(ttl: .milliseconds(20), isForStale: false, random: 0.5), now: now)
            store.keep(
                try key("stale"), answer("x"), KeepingTime(ttl: .milliseconds(20), isForStale: true, random: 0.5), now: now)
            try await eventually("the time is over") {
                let (short, stale) = (
                    try await store.find(key("short"), now: .now()), try await store.find(key("stale"), now: .now())
                )
                return short == nil && stale == KeptAnswer(events: answer("x"), isFresh: false)
            }
        }
    }

    @Test("a tenant's answers are forgotten, and no other's", arguments: StoreKind.allCases)
    func purgesTenant(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            for index in 0 ..< 600 { store.keep(try key("\(index)", tenant: "a"), answer("x"), hour, now: now) }
            store.keep(try key("0", tenant: "b"), answer("x"), hour, now: now)
            #expect(try await store.purge(TenantDigest("a")) == 600)
            #expect(try await store.purge(TenantDigest("a")) == 0)
            #expect(try await store.find(key("7", tenant: "a"), now: now) == nil)
            #expect(try await store.find(key("0", tenant: "b"), now: now) != nil)
        }
    }

    @Test("all answers of all tenants are forgotten", arguments: StoreKind.allCases)
    func purgesAll(_ kind: StoreKind) async throws {
        try await kind.with { store in
            let now = MonotonicTime.now()
            for index in 0 ..< 300 { store.keep(try key("a", tenant: "\(index)"), answer("x"), hour, now: now) }
            #expect(try await store.purge(nil) == 300)
            #expect(try await store.purge(nil) == 0)
            #expect(try await store.find(key("a", tenant: "7"), now: now) == nil)
            store.keep(try key("a"), answer("x"), hour, now: now)
            #expect(try await store.find(key("a"), now: now) != nil)
        }
    }
}
