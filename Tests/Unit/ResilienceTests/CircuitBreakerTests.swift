import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func permit(_ breaker: inout CircuitBreaker, _ now: MonotonicTime) throws -> CircuitBreaker.Permit {
        guard case .permit(let permit) = breaker.admit(now: now) else { throw CallError(.internal, message: "rejected") }
        return permit
    }

    private func fail(_ breaker: inout CircuitBreaker, _ times: Int, _ now: MonotonicTime) throws {
        for _ in 0 ..< times { breaker.record(try permit(&breaker, now), outcome: .failure, now: now) }
    }

    @Test("Five consecutive failures open it, four do not")
    func consecutive() throws {
        var breaker = CircuitBreaker()
        try fail(&breaker, 4, start)
        breaker.record(try permit(&breaker, start), outcome: .success, now: start)
        try fail(&breaker, 4, start)
        #expect(breaker.state == .closed)
        try fail(&breaker, 1, start)
        #expect(breaker.state == .open)
    }

    @Test("Half of twenty calls failing opens it, and old failures fall out of the window")
    func ratio() throws {
        var breaker = CircuitBreaker(.init(failures: 1000))
        for index in 0 ..< 18 {
            breaker.record(try permit(&breaker, start), outcome: index % 2 == 0 ? .failure : .success, now: start)
        }
        #expect(breaker.state == .closed)
        var later = breaker
        try fail(&breaker, 2, start)
        #expect(breaker.state == .open)
        try fail(&later, 2, start + .seconds(11))
        #expect(later.state == .closed)
    }

    @Test("Calls count when they are issued: hung ones dilute nothing once they fail")
    func hung() throws {
        var breaker = CircuitBreaker(.init(failures: 1000))
        let permits = try (0 ..< 20).map { _ in try permit(&breaker, start) }
        for permit in permits { breaker.record(permit, outcome: .failure, now: start + .seconds(30)) }
        #expect(breaker.state == .open)
    }

    @Test("Open admits nothing before the cooldown, then 1, 3, 10 probes, and closes after three good ones")
    func probes() throws {
        var breaker = CircuitBreaker()
        try fail(&breaker, 5, start)
        let until = try #require(breaker.probeTime)
        #expect(until - start >= .milliseconds(250) && until - start <= .milliseconds(750))
        #expect(breaker.admit(now: until + .nanoseconds(-1)) == .rejected(retryAfter: .nanoseconds(1)))
        let first = try permit(&breaker, until)
        #expect(breaker.state == .halfOpen)
        guard case .rejected = breaker.admit(now: until) else { Issue.record("two probes at once"); return }
        breaker.record(first, outcome: .success, now: until)
        let more = try (0 ..< 3).map { _ in try permit(&breaker, until) }
        guard case .rejected = breaker.admit(now: until) else { Issue.record("four probes at once"); return }
        breaker.record(more[0], outcome: .success, now: until)
        let most = try (0 ..< 8).map { _ in try permit(&breaker, until) }
        guard case .rejected = breaker.admit(now: until) else { Issue.record("eleven probes at once"); return }
        #expect(breaker.state == .halfOpen)
        breaker.record(most[0], outcome: .success, now: until)
        #expect(breaker.state == .closed)
    }

    @Test("A bad probe opens it again for about twice as long, up to the limit")
    func backoff() throws {
        var breaker = CircuitBreaker()
        try fail(&breaker, 5, start)
        var now = start
        var cooldowns: [Double] = []
        for _ in 0 ..< 10 {
            let until = try #require(breaker.probeTime)
            cooldowns.append((until - now).milliseconds)
            now = until
            breaker.record(try permit(&breaker, now), outcome: .failure, now: now)
        }
        for (index, cooldown) in cooldowns.enumerated() {
            let nominal = min(30_000, 500 * Double(1 << index))
            #expect(cooldown >= nominal * 0.5 && cooldown <= min(nominal * 1.5, 30_000))
        }
    }

    @Test("A probe without a result frees its place when its lease ends")
    func lease() throws {
        var breaker = CircuitBreaker()
        try fail(&breaker, 5, start)
        let until = try #require(breaker.probeTime)
        _ = try permit(&breaker, until)
        guard case .rejected = breaker.admit(now: until + .seconds(9)) else { Issue.record("lease ended early"); return }
        _ = try permit(&breaker, until + .seconds(10))
    }

    @Test("A new instance of the peer is probed at once")
    func newInstance() throws {
        var breaker = CircuitBreaker()
        try fail(&breaker, 5, start)
        breaker.peerRestarted(now: start)
        #expect(breaker.state == .halfOpen)
        _ = try permit(&breaker, start)
    }

    @Test("A result of an earlier state changes nothing")
    func stale() throws {
        var breaker = CircuitBreaker()
        let old = try permit(&breaker, start)
        try fail(&breaker, 5, start)
        let until = try #require(breaker.probeTime)
        let probe = try permit(&breaker, until)
        breaker.record(old, outcome: .failure, now: until)
        #expect(breaker.state == .halfOpen)
        breaker.record(probe, outcome: .success, now: until)
        breaker.record(old, outcome: .success, now: until)
        #expect(breaker.state == .halfOpen)
    }

    @Test("Forced states ignore results and are left by the operator only")
    func forced() throws {
        var breaker = CircuitBreaker()
        breaker.force(.closed, now: start)
        try fail(&breaker, 100, start)
        #expect(breaker.state == .forcedClosed)
        breaker.force(.open, now: start)
        guard case .rejected = breaker.admit(now: start + .seconds(3600)) else { Issue.record("admitted"); return }
        breaker.peerRestarted(now: start)
        #expect(breaker.state == .forcedOpen)
        breaker.force(.automatic, now: start)
        #expect(breaker.state == .closed)
    }
}
