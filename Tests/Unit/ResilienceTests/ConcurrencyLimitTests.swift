import BulkheadCore
import BulkheadResilience
import Testing

@Suite("Concurrency limit")
struct ConcurrencyLimitTests {
    /// Rounds of calls in which all places are taken and then freed; `latency` of the number in flight.
    private func run(
        _ limit: inout ConcurrencyLimit, rounds: Int, offered: Int = .max, _ latency: (Int) -> Duration
    ) {
        for _ in 0 ..< rounds {
            var admitted = 0
            while admitted < offered, limit.admit() { admitted += 1 }
            for _ in 0 ..< admitted { limit.ended(latency: latency(admitted)) }
        }
    }

    @Test("It starts at its lower bound, admits so many, and again one when one ends")
    func admission() {
        var limit = ConcurrencyLimit()
        let admitted = (0 ..< 30).count { _ in limit.admit() }
        #expect(admitted == 20)
        limit.ended(latency: nil)
        let again = (0 ..< 3).count { _ in limit.admit() }
        #expect(again == 1)
        #expect(limit.inFlight == 20)
    }

    @Test("With even latency it grows to its upper bound, and not beyond")
    func growth() {
        var limit = ConcurrencyLimit()
        run(&limit, rounds: 50) { _ in .milliseconds(1) }
        #expect(limit.limit == 200)
    }

    @Test("It does not grow while fewer than half of its places are taken")
    func idle() {
        var limit = ConcurrencyLimit()
        run(&limit, rounds: 500, offered: 9) { _ in .milliseconds(1) }
        #expect(limit.limit == 20)
    }

    @Test("When calls queue behind eight workers it settles far below its upper bound, and recovers afterwards")
    func queue() {
        var limit = ConcurrencyLimit(.init(bounds: 4 ... 200))
        run(&limit, rounds: 200, offered: 8) { _ in .milliseconds(1) }
        run(&limit, rounds: 20) { inFlight in .milliseconds(1) * (inFlight > 8 ? inFlight : 1) }
        #expect(limit.limit < 60)
        run(&limit, rounds: 100) { _ in .milliseconds(1) }
        #expect(limit.limit == 200)
    }

    @Test("Slow calls lower it to its lower bound, and not beyond")
    func slowness() {
        var limit = ConcurrencyLimit()
        run(&limit, rounds: 50) { _ in .milliseconds(1) }
        for _ in 0 ..< 200 { _ = limit.admit() }
        for _ in 0 ..< 60 { limit.ended(latency: .milliseconds(100)) }
        #expect(limit.limit < 60)
    }

    @Test("A bad time is forgotten within a hundred good calls: what was good then is slow now")
    func memory() {
        var limit = ConcurrencyLimit(.init(bounds: 4 ... 200))
        run(&limit, rounds: 20) { _ in .seconds(1) }
        run(&limit, rounds: 1) { _ in .milliseconds(10) }
        #expect(limit.limit == 200)
        run(&limit, rounds: 1) { _ in .milliseconds(100) }
        #expect(limit.limit < 100)
    }

    @Test("A dropped call lowers it by a tenth; one that says nothing leaves it")
    func dropped() {
        var limit = ConcurrencyLimit()
        run(&limit, rounds: 50) { _ in .milliseconds(1) }
        for _ in 0 ..< 30 { _ = limit.admit() }
        limit.ended(latency: nil)
        #expect(limit.limit == 200)
        limit.ended(latency: .seconds(1), dropped: true)
        #expect(limit.limit == 180)
        for _ in 0 ..< 28 { limit.ended(latency: nil, dropped: true) }
        #expect(limit.limit == 20)
    }

    @Test("It stays within its bounds and counts its calls, whatever happens")
    func bounds() {
        var random = SplitMix64(seed: 9)
        for _ in 0 ..< 200 {
            var limit = ConcurrencyLimit(.init(bounds: 5 ... 50))
            var running = 0
            for _ in 0 ..< 500 {
                if Bool.random(using: &random) {
                    let isAdmitted = limit.admit()
                    #expect(isAdmitted == (running < limit.limit))
                    if isAdmitted { running += 1 }
                } else if running > 0 {
                    let latency = Duration.microseconds(Int.random(in: 0 ... 100_000, using: &random))
                    limit.ended(
                        latency: Bool.random(using: &random) ? latency : nil,
                        dropped: Int.random(in: 0 ..< 20, using: &random) == 0)
                    running -= 1
                }
                #expect((5 ... 50).contains(limit.limit) && limit.inFlight == running)
            }
        }
    }
}
