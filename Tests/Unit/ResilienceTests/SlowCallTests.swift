import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Circuit breaker, slow calls and trips")
struct SlowCallTests {
    let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func permits(_ breaker: inout CircuitBreaker, _ count: Int, _ now: MonotonicTime) -> [CircuitBreaker.Permit] {
        (0 ..< count).compactMap { _ in if case .permit(let permit) = breaker.admit(now: now) { permit } else { nil } }
    }

    @Test("Sixteen of twenty calls slow while they still run open it, fifteen do not")
    func running() throws {
        var breaker = CircuitBreaker()
        let calls = permits(&breaker, 20, start)
        for call in calls.prefix(15) { breaker.markSlow(call, now: start + .seconds(1)) }
        #expect(breaker.state == .closed)
        let sixteenth = try #require(calls.dropFirst(15).first)
        breaker.markSlow(sixteenth, now: start + .seconds(1))
        #expect(breaker.state == .open)
    }

    @Test("A slow call counts once, however it ends, and stays slow when its caller gives up")
    func ends() throws {
        var breaker = CircuitBreaker(.init(failures: 100, failureRatio: 1))
        let calls = permits(&breaker, 3, start)
        for call in calls { breaker.markSlow(call, now: start) }
        for (call, outcome) in zip(calls, CircuitBreaker.Outcome.allCases) { breaker.record(call, outcome: outcome, now: start) }
        #expect(breaker.window.sum == .init(issued: 3, failed: 1, slow: 3))
        let late = try #require(permits(&breaker, 1, start).first)
        breaker.markSlow(late, now: start + .seconds(11))
        #expect(breaker.window.sum == .init(issued: 1, slow: 1), "old marks fall out of the window")
    }

    @Test("Marking the same call twice counts once")
    func twice() throws {
        var breaker = CircuitBreaker()
        let call = try #require(permits(&breaker, 1, start).first)
        for _ in 0 ..< 3 { breaker.markSlow(call, now: start) }
        #expect(breaker.window.sum == .init(issued: 1, slow: 1))
    }

    @Test("Marks are remembered for a bounded number of calls; beyond it they are not counted")
    func bound() {
        var breaker = CircuitBreaker(.init(slowRatio: 2))
        for call in permits(&breaker, 5000, start) { breaker.markSlow(call, now: start) }
        #expect(breaker.window.sum == .init(issued: 5000, slow: 4096))
    }

    @Test("A slow probe is a bad one; a slow call of an earlier state is nothing")
    func probe() throws {
        var breaker = CircuitBreaker()
        let old = try #require(permits(&breaker, 1, start).first)
        breaker.trip(now: start)
        breaker.peerRestarted(now: start)
        let probe = try #require(permits(&breaker, 1, start).first)
        breaker.markSlow(old, now: start)
        #expect(breaker.state == .halfOpen)
        breaker.markSlow(probe, now: start)
        #expect(breaker.state == .open)
    }

    @Test("A trip opens at once, but neither again nor against the operator")
    func trip() throws {
        var breaker = CircuitBreaker()
        breaker.trip(now: start)
        #expect(breaker.state == .open)
        let until = try #require(breaker.probeTime)
        breaker.trip(now: start + .milliseconds(100))
        #expect(breaker.probeTime == until)
        _ = breaker.admit(now: until)
        breaker.trip(now: until)
        #expect(breaker.state == .open)
        breaker.force(.closed, now: until)
        breaker.trip(now: until)
        #expect(breaker.state == .forcedClosed)
    }

    @Test("A ratio written in decimals is met exactly")
    func exact() {
        var breaker = CircuitBreaker(.init(failures: 100, failureRatio: 0.55))
        let calls = permits(&breaker, 20, start)
        for call in calls.prefix(11) { breaker.record(call, outcome: .failure, now: start) }
        #expect(breaker.state == .open)
    }

    @Test("The cooldown keeps growing while the peer stays away, and is short again after a minute of closed")
    func growth() throws {
        var breaker = CircuitBreaker(.init(jitter: 0, halfOpenSuccesses: 1))
        var now = start
        breaker.force(.closed, now: now)
        breaker.force(.automatic, now: now)
        var cooldowns: [Double] = []
        for index in 0 ..< 9 {
            breaker.trip(now: now)
            let until = try #require(breaker.probeTime)
            cooldowns.append((until - now).milliseconds)
            now = until
            let probe = try #require(permits(&breaker, 1, now).first)
            guard index >= 7 else { continue }
            breaker.record(probe, outcome: .success, now: now)
            now = now + .seconds(index == 7 ? 60 : 59)
        }
        breaker.trip(now: now)
        cooldowns.append((try #require(breaker.probeTime) - now).milliseconds)
        #expect(cooldowns == [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 500, 1000])
    }

    @Test("Breakers that are at their longest cooldown do not probe together")
    func spread() {
        let cooldowns = (0 ..< 20).compactMap { (seed: UInt64) -> Duration? in
            var breaker = CircuitBreaker(.init(openFor: .seconds(30)), seed: seed)
            breaker.trip(now: start)
            return breaker.probeTime.map { $0 - start }
        }
        #expect(Set(cooldowns).count == 20)
        let isWithinLimit = cooldowns.allSatisfy { $0 >= .seconds(15) && $0 <= .seconds(30) }
        #expect(isWithinLimit)
    }

    @Test("Failures of calls to an old instance do not count against the new one")
    func restart() {
        var breaker = CircuitBreaker()
        let calls = permits(&breaker, 20, start)
        breaker.peerRestarted(now: start)
        for call in calls { breaker.record(call, outcome: .failure, now: start) }
        #expect(breaker.state == .closed)
    }
}
