import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

@Suite("Answers in memory") struct MemoryAnswersTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)
    private let hour = KeepingTime(ttl: .seconds(3600), isForStale: false, random: 0.5)

    private func key(_ text: String, tenant: String = "t") throws -> CacheKey {
        try CacheKey(.init(model: text), alias: "m", partition: CachePartition(tenant: tenant, user: "u"))
    }

    @Test("the least recently used answer goes first")
    func evictsLeastRecentlyUsed() throws {
        let cache = MemoryAnswers(maxEntries: 3)
        let keys = try (0 ..< 4).map { try key("\($0)") }
        for index in 0 ..< 3 { cache.keep(keys[index], answer("\(index)"), hour, now: start) }
        #expect(cache.find(keys[0], now: start) != nil)
        cache.keep(keys[3], answer("3"), hour, now: start)
        #expect(keys.map { cache.find($0, now: start) != nil } == [true, false, true, true])
        #expect(cache.statistics.evicted == 1)
    }

    @Test("the memory of all answers is bounded, and one answer takes no large share of it")
    func evictsByBytes() throws {
        let cache = MemoryAnswers(maxEntries: 1000)
        let text = String(repeating: "x", count: 1 << 20)
        for index in 0 ..< 100 { cache.keep(try key("\(index)"), answer(text), hour, now: start) }
        #expect(cache.statistics.bytes ?? 0 <= MemoryAnswers.maxBytes && cache.statistics.entries ?? 0 > 50)
        cache.keep(try key("huge"), answer(String(repeating: text, count: 5)), hour, now: start)
        #expect(cache.find(try key("huge"), now: start) == nil)
        #expect(cache.statistics.tooLarge == 1)
    }

    @Test("a smaller bound takes effect at once")
    func reconfigure() throws {
        let cache = MemoryAnswers(maxEntries: 10)
        for index in 0 ..< 10 { cache.keep(try key("\(index)"), answer("x"), hour, now: start) }
        cache.reconfigure(maxEntries: 2)
        #expect(cache.statistics.entries == 2)
        #expect(cache.find(try key("9"), now: start) != nil)
    }

    @Test("what went takes no memory and no place among its tenant's")
    func accounts() throws {
        let cache = MemoryAnswers(maxEntries: 10)
        cache.keep(try key("a"), answer("x"), hour, now: start)
        cache.keep(try key("b", tenant: "other"), answer("x"), hour, now: start)
        #expect(cache.find(try key("a"), now: start + .seconds(3600)) == nil)
        #expect(cache.statistics.expired == 1 && cache.purge(TenantDigest("t")) == 0)
        #expect(cache.purge(TenantDigest("other")) == 1)
        #expect(cache.statistics.entries == 0 && cache.statistics.bytes == 0)
    }
}
