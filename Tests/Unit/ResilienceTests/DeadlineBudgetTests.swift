import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Deadline budget")
struct DeadlineBudgetTests {
    let now = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test("A child gets the caller's deadline less the reserve, or its cap if that is earlier")
    func cap() {
        let budget = DeadlineBudget(deadline: now + .milliseconds(100))
        #expect(budget.child(now: now) == now + .milliseconds(95))
        #expect(budget.child(cap: .milliseconds(50), now: now) == now + .milliseconds(50))
        #expect(budget.child(cap: .seconds(9), now: now) == now + .milliseconds(95))
        #expect(DeadlineBudget(deadline: now + .milliseconds(100), reserve: .zero).child(now: now) == now + .milliseconds(100))
    }

    @Test("A share is a share of what remains, and no share above one or below zero")
    func share() {
        let budget = DeadlineBudget(deadline: now + .milliseconds(405))
        #expect(budget.child(share: 0.25, now: now) == now + .milliseconds(100))
        #expect(budget.child(cap: .milliseconds(40), share: 0.25, now: now) == now + .milliseconds(40))
        #expect(budget.child(share: 0.25, now: now + .milliseconds(200)) == now + .milliseconds(250))
        #expect(budget.child(share: 7, now: now) == now + .milliseconds(400))
        #expect(budget.child(share: -1, now: now) == nil)
    }

    @Test("Too little time is no deadline: less than the minimum, all of it reserve, or past")
    func refusal() {
        let budget = DeadlineBudget(deadline: now + .milliseconds(25))
        #expect(budget.child(minimum: .milliseconds(20), now: now) == now + .milliseconds(20))
        #expect(budget.child(minimum: .milliseconds(21), now: now) == nil)
        #expect(budget.child(cap: .milliseconds(5), minimum: .milliseconds(6), now: now) == nil)
        #expect(budget.child(share: 0.5, minimum: .milliseconds(11), now: now) == nil)
        #expect(budget.child(now: now + .milliseconds(20)) == nil)
        #expect(budget.child(now: now + .seconds(1)) == nil)
        #expect(budget.remaining(now: now + .seconds(1)) == .zero)
    }

    @Test("Without a deadline only the cap counts")
    func never() {
        let budget = DeadlineBudget(deadline: .never)
        #expect(budget.child(share: 0.1, minimum: .seconds(5), now: now) == .never)
        #expect(budget.child(cap: .seconds(1), share: 0.1, now: now) == now + .seconds(1))
        #expect(budget.remaining(now: now) == nil)
    }

    @Test("Down a chain of hops every child ends before its caller, whatever the shares")
    func chain() {
        var random = SplitMix64(seed: 5)
        for _ in 0 ..< 2000 {
            var deadline = now + .milliseconds(Int.random(in: 1 ... 500, using: &random))
            var time = now
            var hops = 0
            while let child = DeadlineBudget(deadline: deadline).child(share: .random(in: 0 ... 1, using: &random), now: time) {
                #expect(child > time && child <= deadline + .milliseconds(-5))
                deadline = child
                time = time + .microseconds(Int.random(in: 0 ... 3000, using: &random))
                hops += 1
            }
            #expect(hops <= 100)
        }
    }
}
