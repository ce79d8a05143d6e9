import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Backoff, buckets and queues")
struct FlowTests {
    let start = MonotonicTime(nanoseconds: 5_000_000_000_000)

    @Test("Waits double up to the limit, with half of them random, and start anew after a reset")
    func backoff() {
        var backoff = Backoff(base: .milliseconds(20), limit: .milliseconds(250), seed: 7)
        for nominal in [20.0, 40, 80, 160, 250, 250, 250] {
            let wait = backoff.next().milliseconds
            #expect(wait >= nominal / 2 && wait <= nominal)
        }
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(20))
    }

    @Test("Two users with different seeds do not wait in step")
    func jitter() {
        var one = Backoff(base: .seconds(1), limit: .seconds(1), seed: 1)
        var two = Backoff(base: .seconds(1), limit: .seconds(1), seed: 2)
        #expect((0 ..< 10).map { _ in one.next() } != (0 ..< 10).map { _ in two.next() })
    }

    @Test("A bucket gives its burst at once, then its rate, and says when the next token comes")
    func bucket() {
        var bucket = TokenBucket(rate: 10, burst: 3, now: start)
        for _ in 0 ..< 3 { #expect(bucket.take(now: start) == nil) }
        #expect(bucket.take(now: start) == .milliseconds(100))
        #expect(bucket.take(now: start + .milliseconds(99)) == .milliseconds(1))
        #expect(bucket.take(now: start + .milliseconds(100)) == nil)
        #expect(bucket.take(4, now: start + .seconds(60)) == .seconds(Int64.max))
        #expect(bucket.available(now: start + .seconds(60)) == 3)
        #expect(bucket.take(2, now: start + .seconds(60)) == nil)
        bucket.giveBack(1, now: start + .seconds(60))
        #expect(bucket.available(now: start + .seconds(60)) == 2)
    }

    @Test("A bucket never gives more than burst plus rate times time")
    func bucketBound() {
        var random = SplitMix64(seed: 11)
        var bucket = TokenBucket(rate: 100, burst: 20, now: start)
        var now = start
        var taken = 0.0
        for _ in 0 ..< 10_000 {
            now = now + .microseconds(Int64.random(in: 0 ... 5000, using: &random))
            let want = Double(Int.random(in: 1 ... 5, using: &random))
            if bucket.take(want, now: now) == nil { taken += want }
            #expect(taken <= 20 + 100 * (now - start).milliseconds / 1000 + 1e-6)
        }
    }

    @Test("A queue keeps order, refuses beyond its capacity, and takes elements out by condition")
    func queue() {
        var queue = BoundedQueue<Int>(capacity: 4)
        let pushed = (0 ..< 5).map { queue.push($0) }
        #expect(pushed == [true, true, true, true, false])
        let first = queue.pop()
        #expect(first == 0)
        let again = queue.push(5)
        #expect(again)
        let odd = queue.remove { $0 % 2 == 1 }
        #expect(odd == [1, 3, 5])
        #expect(queue.count == 1)
        let rest = [queue.pop(), queue.pop()]
        #expect(rest == [2, nil])
    }
}
