import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Retry budget")
struct RetryBudgetTests {
    enum Event: Sendable {
        case call
        case retry
        /// Milliseconds; negative: the clock goes back.
        case wait(Int)
    }

    struct Terms {
        let ratio: Double
        let perSecond: Double
    }

    private func trace(_ random: inout SplitMix64) -> (Terms, [Event]) {
        let terms = [Terms(ratio: 0.1, perSecond: 3), Terms(ratio: 0.1, perSecond: 0.3), Terms(ratio: 0.5, perSecond: 0)]
        let pause = [20, 200, 3000][Int.random(in: 0 ..< 3, using: &random)]
        let calls = Int.random(in: 5 ... 60, using: &random)
        let events = (0 ..< Int.random(in: 20 ... 160, using: &random)).map { _ -> Event in
            switch Int.random(in: 0 ..< 100, using: &random) {
            case 0 ..< calls: return .call
            case 96 ... 97: return .wait(Int.random(in: 8000 ... 11_000, using: &random))
            case 98 ... 99: return .wait(-Int.random(in: 0 ... 2000, using: &random))
            case 80 ..< 96: return .wait(Int.random(in: 0 ... pause, using: &random))
            default: return .retry
            }
        }
        return (terms[Int.random(in: 0 ..< terms.count, using: &random)], events)
    }

    @Test("P6: in any ten seconds retries are at most a tenth of the calls plus three a second, and no fewer are granted")
    func bound() {
        forAll(trace) { terms, events in
            var budget = RetryBudget(ratio: terms.ratio, perSecond: terms.perSecond)
            var clock = MonotonicTime(nanoseconds: 5_000_000_000_123)
            var time = MonotonicTime(nanoseconds: 0)
            var calls: [MonotonicTime] = []
            var retries: [MonotonicTime] = []
            for event in events {
                if case .wait(let milliseconds) = event {
                    clock = clock + .milliseconds(milliseconds)
                } else {
                    time = max(time, clock)
                }
                switch event {
                case .wait: continue
                case .call:
                    budget.deposit(now: clock)
                    calls.append(time)
                    continue
                case .retry: break
                }
                let isGranted = budget.withdraw(now: clock)
                // Buckets of a second: credit lasts at least nine seconds and a debt at most eleven.
                let since = time + .seconds(isGranted ? -10 : -9)
                let debtSince = time + .seconds(isGranted ? -10 : -11)
                let allowed = terms.ratio * Double(calls.count { $0 > since }) + terms.perSecond * 10
                let made = retries.count { $0 > debtSince } + 1
                if isGranted, Double(made) > allowed { return "\(made) retries within ten seconds, allowed \(allowed)" }
                if !isGranted, Double(made) <= allowed { return "refused retry \(made), allowed \(allowed)" }
                if isGranted { retries.append(time) }
            }
            return nil
        }
    }

    @Test("Thirty retries just before a bucket ends leave none just after the first bucket has gone")
    func edge() {
        var budget = RetryBudget()
        let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
        let first = (0 ..< 40).count { _ in budget.withdraw(now: start + .milliseconds(990)) }
        #expect(first == 30)
        let early = budget.withdraw(now: start + .milliseconds(10_010))
        #expect(!early)
        let late = budget.withdraw(now: start + .milliseconds(12_000))
        #expect(late)
    }
}
