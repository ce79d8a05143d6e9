import BulkheadCore
import BulkheadResilience
import Testing

/// Random traces over the breaker, each from a seed that a failure prints.
@Suite("Circuit breaker, properties over random traces")
struct BreakerPropertyTests {
    /// A breaker, its open permits, and a clock that only the trace moves.
    struct Trace {
        var random: SplitMix64
        var breaker: CircuitBreaker
        var now = MonotonicTime(nanoseconds: 10_000_000_000_000)
        var permits: [CircuitBreaker.Permit] = []
        let configuration: CircuitBreaker.Configuration

        init(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            configuration = .init(
                failures: Int.random(in: 1 ... 6, using: &random), failureRatio: Double.random(in: 0.2 ... 1, using: &random),
                minRequests: Int.random(in: 1 ... 30, using: &random), halfOpenSuccesses: Int.random(in: 1 ... 4, using: &random))
            breaker = CircuitBreaker(configuration, seed: seed)
            self.random = random
        }

        enum Step { case admit, record(CircuitBreaker.Outcome), wait, back, restart, force(CircuitBreaker.Override) }

        mutating func pick() -> Step {
            switch Int.random(in: 0 ..< 100, using: &random) {
            case 0 ..< 45: .admit
            case 45 ..< 58: .record(.success)
            case 58 ..< 76: .record(.failure)
            case 76 ..< 82: .record(.neutral)
            case 82 ..< 94: .wait
            case 94 ..< 96: .back
            case 96 ..< 98: .restart
            default: .force([.automatic, .automatic, .open, .closed][Int.random(in: 0 ..< 4, using: &random)])
            }
        }
    }

    private func run(_ seed: UInt64, steps: Int = 400, _ check: (Trace, Trace, Trace.Step, Bool) -> Void) {
        var trace = Trace(seed: seed)
        for _ in 0 ..< steps {
            let before = trace
            let step = trace.pick()
            var admitted = false
            switch step {
            case .admit:
                if case .permit(let permit) = trace.breaker.admit(now: trace.now) {
                    trace.permits.append(permit)
                    admitted = true
                }
            case .record(let outcome):
                guard !trace.permits.isEmpty else { continue }
                let index = Int.random(in: 0 ..< trace.permits.count, using: &trace.random)
                trace.breaker.record(trace.permits.remove(at: index), outcome: outcome, now: trace.now)
            case .wait: trace.now = trace.now + .milliseconds(Int64.random(in: 0 ... 3000, using: &trace.random))
            case .back: trace.now = trace.now + .milliseconds(-500)
            case .restart: trace.breaker.peerRestarted(now: trace.now)
            case .force(let override): trace.breaker.force(override, now: trace.now)
            }
            check(before, trace, step, admitted)
        }
    }

    @Test("Open admits nothing before its cooldown; probes never exceed ten; forced states are left by force only")
    func safety() {
        for seed in UInt64(0) ..< 400 {
            run(seed) { before, after, step, admitted in
                if admitted, let until = before.breaker.probeTime { #expect(before.now >= until, "seed \(seed)") }
                if admitted, before.breaker.state == .forcedOpen { Issue.record("forced open admitted, seed \(seed)") }
                let isForced = before.breaker.state == .forcedOpen || before.breaker.state == .forcedClosed
                if isForced, before.breaker.state != after.breaker.state {
                    guard case .force = step else { Issue.record("left a forced state, seed \(seed)"); return }
                }
                let live = after.permits.filter { $0.probe != nil && $0.generation == after.permits.map(\.generation).max() }
                if after.breaker.state == .halfOpen, after.now <= before.now { #expect(live.count <= 40, "seed \(seed)") }
            }
        }
    }

    @Test("Neutral results never open or close")
    func neutral() {
        for seed in UInt64(1000) ..< 1300 {
            run(seed) { before, after, step, _ in
                if case .record(.neutral) = step { #expect(before.breaker.state == after.breaker.state, "seed \(seed)") }
            }
        }
    }

    @Test("From every state, a healthy peer and time lead to closed")
    func liveness() {
        for seed in UInt64(2000) ..< 2300 {
            var last: Trace?
            run(seed, steps: 100) { _, after, _, _ in last = after }
            guard var trace = last else { continue }
            trace.breaker.force(.automatic, now: trace.now)
            var calls = 0
            while trace.breaker.state != .closed, calls < 100 {
                trace.now = trace.now + .seconds(31)
                if case .permit(let permit) = trace.breaker.admit(now: trace.now) {
                    trace.breaker.record(permit, outcome: .success, now: trace.now)
                }
                calls += 1
            }
            #expect(trace.breaker.state == .closed, "seed \(seed)")
            #expect(calls <= 20, "seed \(seed)")
        }
    }

    @Test("A result of another generation leaves the whole breaker as it was")
    func stale() {
        for seed in UInt64(3000) ..< 3300 {
            run(seed) { before, _, _, _ in
                guard let old = before.permits.first, before.breaker.state == .open, old.probe == nil else { return }
                var copy = before.breaker
                copy.record(old, outcome: .failure, now: before.now)
                #expect(copy.probeTime == before.breaker.probeTime, "seed \(seed)")
            }
        }
    }
}
