import Foundation
import TelemetryService
import Testing

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test("A quantile is at most 3.2 % off, from a microsecond to a day", arguments: 0 ..< 20)
    func bound(seed: Int) {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        var histogram = LatencyHistogram()
        let values = (0 ..< 2000).map { _ in Int(random.next() >> (28 + random.next() % 36)) % 86_400_000_000 }
        for value in values { histogram.record(value) }
        let sorted = values.sorted()
        for share in [0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1] {
            let exact = Double(sorted[max(1, Int((Double(sorted.count) * share).rounded(.up))) - 1])
            let found = histogram.quantile(share) ?? -1
            #expect(abs(found - exact) <= exact / 32 + 0.5, "share \(share): \(found) for \(exact)")
        }
    }

    @Test("Merging equals counting together, and the stored form is lossless")
    func mergeAndStore() throws {
        var (left, right, both) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for value in 0 ..< 1000 {
            left.record(value * value)
            right.record(value * 7919)
            both.record(value * value)
            both.record(value * 7919)
        }
        left.merge(right)
        #expect(left == both)
        let read = try #require(LatencyHistogram(encoded: left.encoded))
        #expect(read == left && read.count == 2000)
        #expect(LatencyHistogram(encoded: Data()) == LatencyHistogram())
    }

    @Test("Nothing counted has no quantile; extremes are held")
    func extremes() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        histogram.record(.min)
        histogram.record(.max)
        #expect(histogram.quantile(0) == 0 && (histogram.quantile(1) ?? 0) > 1e12)
    }

    @Test("A damaged stored form is refused or read, never trapped on", arguments: 0 ..< 50)
    func damaged(seed: Int) {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        let bytes = Data((0 ..< 64).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        if let histogram = LatencyHistogram(encoded: bytes) { #expect(histogram.count >= 0) }
    }
}
