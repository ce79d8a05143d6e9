import BulkheadCore
import RetrievalService
import Testing

struct EmbeddingCacheTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private func key(_ number: Int, tenant: String = "t") -> EmbeddingCache.Key { .init(tenant: tenant, text: "text \(number)") }
    private func value(_ number: Int) -> EmbeddingModel.Embedded { .init(vector: [Float(number)], tokens: number) }

    @Test("what was used least recently makes room")
    func evicts() {
        let cache = EmbeddingCache(timeToLive: .seconds(10), maximumEntries: 3)
        for number in 0 ..< 3 { cache.insert(value(number), for: key(number), at: start) }
        #expect(cache.value(of: key(0), at: start)?.tokens == 0)
        cache.insert(value(3), for: key(3), at: start)
        #expect(cache.value(of: key(1), at: start) == nil)
        #expect([0, 2, 3].allSatisfy { cache.value(of: key($0), at: start)?.tokens == $0 })
    }

    @Test("bytes are bounded, and a value larger than the bound is not held")
    func boundsBytes() {
        let cache = EmbeddingCache(timeToLive: .seconds(10), maximumEntries: 1000, maximumBytes: 2000)
        for number in 0 ..< 500 { cache.insert(value(number), for: key(number), at: start) }
        #expect(cache.size.bytes <= 2000)
        #expect(cache.size.entries > 5)
        cache.insert(value(0), for: .init(tenant: "t", text: String(repeating: "x", count: 3000)), at: start)
        #expect(cache.value(of: key(499), at: start)?.tokens == 499)
    }

    @Test("entries die at their time to live, also when it was lowered later")
    func expires() {
        let cache = EmbeddingCache(timeToLive: .seconds(10))
        cache.insert(value(1), for: key(1), at: start)
        cache.insert(value(2), for: key(2), at: start)
        #expect(cache.value(of: key(1), at: start + .milliseconds(9_999)) != nil)
        #expect(cache.value(of: key(1), at: start + .seconds(10)) == nil)
        cache.setTimeToLive(.seconds(5))
        #expect(cache.value(of: key(2), at: start + .seconds(5)) == nil)
        #expect(cache.size == (0, 0))
    }

    @Test("a tenant does not find what another embedded")
    func partitions() {
        let cache = EmbeddingCache(timeToLive: .seconds(10))
        cache.insert(value(1), for: key(1, tenant: "a"), at: start)
        #expect(cache.value(of: key(1, tenant: "b"), at: start) == nil)
    }

    @Test("any sequence of uses agrees with a list kept in order of use")
    func agreesWithModel() {
        var random = SystemRandomNumberGenerator()
        let cache = EmbeddingCache(timeToLive: .seconds(10), maximumEntries: 8)
        var order: [Int] = []
        for _ in 0 ..< 5000 {
            let number = Int.random(in: 0 ..< 16, using: &random)
            if Bool.random(using: &random) {
                cache.insert(value(number), for: key(number), at: start)
                order.removeAll { $0 == number }
                order = Array((order + [number]).suffix(8))
            } else if cache.value(of: key(number), at: start) != nil {
                #expect(order.contains(number))
                order.removeAll { $0 == number }
                order.append(number)
            } else {
                #expect(!order.contains(number))
            }
            #expect(cache.size.entries == order.count)
        }
    }
}
