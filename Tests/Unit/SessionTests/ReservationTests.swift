import BulkheadAPI
import BulkheadCore
import SessionService
import Testing

@Suite("Tokens per minute and requests at once")
struct ReservationTests {
    private static let start = 1_800_000_000_000_000.0
    private let book = LocalLimits()
    private let key = LimitSubject.identity(tenant: "t", .key("k"))

    private func at(_ seconds: Double) -> Double { Self.start + (seconds * 1000).rounded() * 1000 }

    /// Reserves `tokens` under a limit of `limit` tokens per minute.
    private func reserve(
        _ name: String, _ tokens: Int, of limit: Int = 1000, at seconds: Double = 0, run: Int64 = 0, places: Int? = nil
    ) throws -> Decision {
        var rules = limit > 0 ? [LimitRule(.tokens, key, most: limit)] : []
        if let places { rules.append(LimitRule(.places, key, most: places)) }
        _ = book.hear(run, now: at(seconds))
        return try ask(LimitQuestion(tenant: "t", admission: name, rules: rules, run: run, tokens: tokens), at: seconds)
    }

    private func ask(_ question: LimitQuestion, at seconds: Double = 0) throws -> Decision {
        try Decision(question, book.ask(question, now: at(seconds)))
    }

    private func settle(_ name: String, _ used: Int, at seconds: Double = 0) {
        _ = book.settle(LimitSettlement(tenant: "t", admission: name, tokens: used), now: at(seconds))
    }

    @Test("parallel requests are admitted only on what is left of the limit")
    func parallel() throws {
        let admitted = try (0 ..< 20).filter { try reserve("r\($0)", 300).isAdmitted }
        #expect(admitted.count == 3)
    }

    @Test("what was not used comes back at once, what was used stays charged")
    func refund() throws {
        #expect(try reserve("a", 900).isAdmitted)
        #expect(try !reserve("b", 900).isAdmitted)
        settle("a", 100)
        let next = try reserve("c", 900)
        #expect(next.isAdmitted && next.tokens?.remaining == 0)
        settle("c", 0)
        #expect(try reserve("d", 1).tokens?.remaining == 899)
    }

    @Test("a request that cost more than it reserved is charged in full, and later ones wait for it")
    func debt() throws {
        #expect(try reserve("a", 500).isAdmitted)
        settle("a", 2000)
        let refused = try reserve("b", 100)
        let wait = try #require(refused.tokens).retryAfter
        #expect(!refused.isAdmitted && wait > 60_000_000 && refused.tokens?.remaining == 0)
        let later = (Double(wait) / 1e6).rounded(.up)
        #expect(try !reserve("c", 100, at: later - 2).isAdmitted)
        #expect(try reserve("d", 100, at: later).isAdmitted)
    }

    @Test("a limit below the estimate admits one such request when nothing is spent, and small ones otherwise")
    func smallLimit() throws {
        let large = try reserve("a", 5000, of: 100)
        #expect(large.isAdmitted && large.tokens?.remaining == 0)
        #expect(try !reserve("b", 5000, of: 100).isAdmitted)
        settle("a", 60)
        #expect(try !reserve("c", 5000, of: 100).isAdmitted)
        #expect(try reserve("d", 20, of: 100).isAdmitted)
        settle("d", 0)
        #expect(try reserve("e", 5000, of: 100, at: 60).isAdmitted)
    }

    @Test("whatever is reported, the settled tokens never exceed the limit by more than one request", arguments: 0 ..< 20)
    func neverMore(seed: Int) throws {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        let limit = 2000
        var largest = 0
        var used = 0
        var running: [(name: String, cost: Int)] = []
        for number in 0 ..< 400 {
            if random.next() % 3 > 0 || running.isEmpty {
                let estimate = Int(random.next() % 300) + 1
                // An estimate is an upper bound where the client limits the answer.
                let cost = Int(random.next() % UInt64(estimate + 1))
                if try reserve("r\(number)", estimate, of: limit).isAdmitted {
                    running.append(("r\(number)", cost))
                    largest = max(largest, estimate)
                }
            } else {
                let one = running.remove(at: Int(random.next() % UInt64(running.count)))
                settle(one.name, one.cost)
                used += one.cost
            }
        }
        for one in running { used += one.cost }
        #expect(used <= limit + largest)
    }

    @Test("after a request that exceeded its estimate later ones reserve more, and less again in time")
    func learning() throws {
        #expect(try reserve("a", 100, of: 10_000).isAdmitted)
        settle("a", 400)
        let before = try reserve("b", 0, of: 10_000).tokens?.remaining ?? 0
        let after = try reserve("c", 100, of: 10_000).tokens?.remaining ?? 0
        #expect(before - after == 400)
        settle("c", 100)
        for number in 0 ..< 60 {
            #expect(try reserve("d\(number)", 10, of: 10_000).isAdmitted)
            settle("d\(number)", 10)
        }
        let calm = try reserve("e", 0, of: 10_000).tokens?.remaining ?? 0
        #expect(try calm - (reserve("f", 100, of: 10_000).tokens?.remaining ?? 0) <= 102)
    }

    @Test("a settlement that is repeated, late or unknown changes nothing")
    func idempotent() throws {
        #expect(try reserve("a", 600).isAdmitted)
        settle("a", 600)
        for _ in 0 ..< 5 { settle("a", 0) }
        settle("nobody", 10_000)
        #expect(try reserve("b", 400).tokens?.remaining == 0)
    }

    @Test("a request refused by one limit costs nothing at the others")
    func atomic() throws {
        let rules = [
            LimitRule(.tokens, key, most: 1000), LimitRule(.places, key, most: 5),
            LimitRule(.tokens, .tenant("t"), most: 100),
        ]
        func take(_ name: String, _ tokens: Int) throws -> Bool {
            try ask(LimitQuestion(tenant: "t", admission: name, rules: rules, tokens: tokens)).isAdmitted
        }
        #expect(try take("a", 100))
        for number in 0 ..< 10 { #expect(try !take("b\(number)", 50)) }
        #expect(try reserve("c", 0).tokens?.remaining == 900)
        #expect(book.running(key, now: at(0)) == 1 && book.reservationCount == 1)
    }

    @Test("places are held until they are settled")
    func places() throws {
        #expect(try reserve("a", 0, of: 0, places: 2).concurrency?.remaining == 1)
        #expect(try reserve("b", 0, of: 0, places: 2).concurrency?.remaining == 0)
        let refused = try #require(try reserve("c", 0, of: 0, places: 2).concurrency)
        #expect(!refused.isAdmitted && refused.limit == 2 && refused.retryAfter > 0)
        settle("a", 0)
        #expect(try reserve("d", 0, of: 0, places: 2).isAdmitted && book.running(key, now: at(0)) == 2)
    }

    @Test("what is never settled is free after its lease")
    func lease() throws {
        #expect(try reserve("a", 100, places: 1).isAdmitted)
        #expect(try !reserve("b", 100, at: 899, places: 1).isAdmitted)
        #expect(try reserve("c", 100, at: 906, places: 1).isAdmitted)
        settle("a", 100_000, at: 906)
        #expect(try reserve("d", 100, at: 907, places: 2).isAdmitted)
    }

    @Test("RL19 a place whose holder is gone is free after 30 seconds, one that is renewed is not")
    func holder() throws {
        #expect(try reserve("a", 0, of: 0, run: 7, places: 1).isAdmitted)
        #expect(try !reserve("b", 0, of: 0, at: 29, run: 7, places: 1).isAdmitted)
        _ = book.renew(7, now: at(29))
        #expect(try !reserve("c", 0, of: 0, at: 58, run: 7, places: 1).isAdmitted)
        #expect(try reserve("d", 0, of: 0, at: 59, run: 7, places: 1).isAdmitted)
    }

    @Test("the late word of an earlier run frees nothing")
    func formerRun() throws {
        #expect(try reserve("a", 0, of: 0, run: 7, places: 2).isAdmitted)
        #expect(try reserve("b", 0, of: 0, run: 8, places: 2).isAdmitted)
        #expect(try reserve("c", 0, of: 0, run: 7, places: 2).isAdmitted)
        #expect(book.running(key, now: at(0)) == 2)
    }

    @Test("what an earlier run of edge left is free at the first word of the next")
    func newRun() throws {
        for number in 0 ..< 3 { #expect(try reserve("a\(number)", 10, run: 7, places: 3).isAdmitted) }
        #expect(try !reserve("b", 10, run: 7, places: 3).isAdmitted)
        #expect(try reserve("c", 10, run: 8, places: 3).isAdmitted)
        #expect(book.running(key, now: at(0)) == 1 && book.reservationCount == 1)
    }

    @Test("nothing is held for who has no limits")
    func unlimited() throws {
        #expect(try reserve("a", 1_000_000, of: 0).isAdmitted && book.reservationCount == 0)
    }
}

/// An answer by kind of limit.
private struct Decision {
    let isAdmitted: Bool
    private(set) var tokens: LimitStanding?
    private(set) var concurrency: LimitStanding?

    init(_ question: LimitQuestion, _ outcome: LimitOutcome) throws {
        let answer = try outcome.answer
        isAdmitted = answer.isAdmitted
        for (rule, standing) in zip(question.rules, answer.standings) {
            if rule.kind == .tokens { tokens = standing }
            if rule.kind == .places { concurrency = standing }
        }
    }
}

@Suite("Reservations at admission")
struct ReservedAdmissionTests {
    private func ask(_ bench: SessionBench, _ key: String, tokens: Int, idempotency: String? = nil) async throws
        -> SessionAPI.AdmitReply
    {
        var request = bench.request(key, idempotency: idempotency)
        request.estimatedTokens = tokens
        return try await bench.admission.admit(request, now: bench.now)
    }

    private func settle(_ bench: SessionBench, _ admitted: SessionAPI.AdmitReply, tokens: Int, unused: Bool = false) async throws
    {
        try await bench.admission.settle(
            SessionAPI.SettleRequest(
                admissionID: admitted.admissionID, keyID: admitted.keyID, inputTokens: tokens, unused: unused),
            now: bench.now)
    }

    @Test("A key's tokens per minute are held, and a refusal says which limit and when")
    func tokens() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.tpm = 1000 }
        let first = try await ask(bench, made.key, tokens: 700)
        #expect(first.verdict == .admitted && first.reserved && first.tokens?.limit == 1000 && first.tokens?.remaining == 300)
        let refused = try await ask(bench, made.key, tokens: 700)
        #expect(refused.verdict == .rateLimited && refused.reason.contains("1000 tokens per minute"))
        #expect(refused.tokens.map { $0.retryAfterMS > 0 && $0.retryAfterMS <= 60_000 } == true)
        try await settle(bench, first, tokens: 200)
        #expect(try await ask(bench, made.key, tokens: 700).verdict == .admitted)
    }

    @Test("A request refused for its tokens does not count against the requests per minute, nor the other way round")
    func separate() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey {
            $0.tpm = 100
            $0.rpm = 2
        }
        #expect(try await ask(bench, made.key, tokens: 100).requests?.remaining == 1)
        for _ in 0 ..< 5 { #expect(try await ask(bench, made.key, tokens: 50).requests?.remaining == 1) }
        let other = try await bench.makeKey {
            $0.tpm = 100
            $0.rpm = 1
        }
        #expect(try await ask(bench, other.key, tokens: 10).verdict == .admitted)
        for _ in 0 ..< 5 { #expect(try await ask(bench, other.key, tokens: 10).verdict == .rateLimited) }
        #expect(bench.local.reservationCount == 2)
    }

    @Test("An unused admission gives everything back and is no spend; a repeated key reserves nothing")
    func released() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey {
            $0.tpm = 1000
            $0.concurrency = 1
        }
        let first = try await ask(bench, made.key, tokens: 1000)
        #expect(first.concurrency?.limit == 1)
        #expect(try await ask(bench, made.key, tokens: 1).reason.contains("at once"))
        try await settle(bench, first, tokens: 0, unused: true)
        let second = try await ask(bench, made.key, tokens: 1000, idempotency: "once")
        #expect(second.verdict == .admitted)
        try await settle(bench, second, tokens: 0)
        let again = try await ask(bench, made.key, tokens: 1000, idempotency: "twice")
        let running = try await ask(bench, made.key, tokens: 1000, idempotency: "twice")
        #expect(again.verdict == .admitted && running.verdict == .rateLimited && bench.local.reservationCount == 1)
    }

    @Test("Looking reserves nothing, and a proposed name can be settled by who did not get the reply")
    func proposed() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.concurrency = 1 }
        var look = bench.request(made.key)
        look.count = false
        for _ in 0 ..< 3 { #expect(try await bench.admission.admit(look, now: bench.now).verdict == .admitted) }
        #expect(bench.local.reservationCount == 0)
        var request = bench.request(made.key)
        request.proposedID = "0123456789abc"
        #expect(try await bench.admission.admit(request, now: bench.now).admissionID == "r0123456789abc")
        try await bench.admission.settle(.init(admissionID: "r0123456789abc", unused: true), now: bench.now)
        #expect(try await bench.admission.admit(request, now: bench.now).verdict == .admitted)
    }

    @Test("Ends that come with a request are taken in before it is judged, once, and acknowledged")
    func companions() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.concurrency = 1 }
        let first = try await bench.admit(made.key)
        #expect(first.verdict == .admitted)
        var next = bench.request(made.key)
        next.settled = [
            .init(admissionID: first.admissionID, keyID: first.keyID, inputTokens: 3),
            .init(admissionID: first.admissionID, keyID: first.keyID, inputTokens: 3),
        ]
        let reply = try await bench.admission.admit(next, now: bench.now)
        #expect(reply.verdict == .admitted && reply.settled == 2)
        let spent = try await bench.administration.show(KeyName(id: made.id)).spend
        #expect(spent?.requests == 1 && spent?.inputTokens == 3)
    }

    @Test("Ends are taken in also when the request they come with is refused, or cannot be answered at once")
    func refusedCompanions() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.concurrency = 1 }
        var stranger = bench.request("bh_nobody")
        stranger.settled = [.init(admissionID: try await bench.admit(made.key).admissionID, unused: true)]
        let refused = try await bench.admission.admit(stranger, now: bench.now)
        #expect(refused.verdict == .keyRefused && refused.settled == 1)
        var keyed = bench.request(made.key, idempotency: "once")
        keyed.settled = [.init(admissionID: try await bench.admit(made.key).admissionID, unused: true)]
        #expect(try bench.admission.admitNow(keyed, now: bench.now) == nil)
        let admitted = try await bench.admission.admit(keyed, now: bench.now)
        #expect(admitted.verdict == .admitted && admitted.settled == 1)
    }
}
