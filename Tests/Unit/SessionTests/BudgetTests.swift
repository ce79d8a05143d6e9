import BulkheadAPI
import BulkheadCore
import SessionService
import Testing

@Suite("Budgets")
struct BudgetTests {
    private static let day = 86_400_000_000.0
    private static let start = 20_000 * day
    private let limits = LocalLimits()
    private let subject = LimitSubject.identity(tenant: "t", .user("u"))

    private func rule(_ most: Int) -> LimitRule { LimitRule(.budget(windowMilliseconds: 86_400_000), subject, most: most) }

    private func ask(
        _ name: String, _ nanousd: Int, of most: Int = 1000, at seconds: Double = 0, run: Int64 = 0
    ) throws -> LimitStanding {
        let question = LimitQuestion(tenant: "t", admission: name, rules: [rule(most)], run: run, nanousd: nanousd)
        let now = Self.start + seconds * 1e6
        let begin = Int64((now / Self.day).rounded(.down) * Self.day)
        let seeds = [0: BudgetSeed(start: begin, spent: 0)]
        return try limits.ask(question, seeds: seeds, now: now).answer.standings[0]
    }

    @discardableResult
    private func settle(_ name: String, _ nanousd: Int, at seconds: Double = 0) -> SettlementOutcome {
        limits.settle(LimitSettlement(tenant: "t", admission: name, nanousd: nanousd), now: Self.start + seconds * 1e6)
    }

    private func ledger() throws -> BudgetLedger {
        try #require(limits.ledger(subject, windowMilliseconds: 86_400_000))
    }

    @Test("spent and reserved never exceed the budget: the last takes what is left; all comes back with the next day")
    func window() throws {
        #expect(try ask("a", 600).remaining == 400)
        #expect(try ask("b", 500).remaining == 0)
        let waits = try ask("c", 1)
        #expect(!waits.isAdmitted && waits.retryAfter == 1_000_000 && waits.reset == Int64(Self.day), "only reserved")
        settle("a", 300)
        settle("b", 400)
        #expect(try ask("c", 700, at: 86_399).remaining == 0)
        settle("c", 400, at: 86_399)
        let refused = try ask("d", 1, at: 86_399)
        #expect(!refused.isAdmitted && refused.retryAfter == refused.reset, "all of it is spent, and a little more")
        #expect(try ask("e", 1000, at: 86_400).isAdmitted)
    }

    @Test("a request of unknown price is admitted while something is left")
    func unknownPrice() throws {
        #expect(try ask("a", 0).isAdmitted)
        settle("a", 5000)
        #expect(try !ask("b", 0).isAdmitted)
        #expect(try ledger().spent == 5000 && ledger().isBalanced)
        #expect(try !ask("c", 0, of: 0).isAdmitted)
    }

    @Test("RL18 what a crashed holder reserved is released with its lease, and charged if its end is told late")
    func crash() throws {
        #expect(try ask("a", 1000, run: 7).isAdmitted)
        #expect(try !ask("b", 1, at: 29, run: 7).isAdmitted)
        #expect(try ask("b", 1, at: 30, run: 7).isAdmitted)
        #expect(try ledger().releasedTotal == 1000 && ledger().isBalanced)
        settle("a", 400, at: 31)
        #expect(try ledger().spent == 400 && ledger().isBalanced)
    }

    @Test("a settlement that is told again counts once")
    func twice() throws {
        #expect(try ask("a", 100).isAdmitted)
        #expect(settle("a", 70).charges.map(\.nanousd) == [70])
        #expect(settle("a", 70).charges.isEmpty)
        #expect(try ledger().spent == 70)
    }

    @Test("each threshold is told once, and a refusal tells none again")
    func thresholds() throws {
        var told: [[Int]] = []
        for (name, cost) in [("a", 400), ("b", 100), ("c", 100), ("d", 300)] {
            #expect(try ask(name, 10).isAdmitted)
            told += settle(name, cost).crossings.map { [$0.from, $0.to] }
        }
        #expect(told == [[0, 1], [1, 2]])
        let question = LimitQuestion(tenant: "t", admission: "e", rules: [rule(1000)], nanousd: 200)
        #expect(try limits.ask(question, now: Self.start).answer.isAdmitted, "a hundred are left")
        #expect(settle("e", 150).crossings.map { [$0.from, $0.to] } == [[2, 3]])
        #expect(try limits.ask(question, now: Self.start).answer.crossings.isEmpty)
    }

    @Test("the ledger balances after every step, whatever happens", arguments: 0 ..< 50)
    func balanced(seed: Int) throws {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        var seconds = 0.0
        var open: [String] = []
        for number in 0 ..< 400 {
            seconds += Double(random.next() % 8)
            switch random.next() % 5 {
            case 0 ..< 3:
                if try ask("r\(number)", Int(random.next() % 300), of: 5000, at: seconds, run: 3).isAdmitted {
                    open.append("r\(number)")
                }
            case 3 where !open.isEmpty:
                let one = open.remove(at: Int(random.next() % UInt64(open.count)))
                settle(one, Int(random.next() % 400), at: seconds)
            default: _ = limits.renew(3, now: Self.start + seconds * 1e6)
            }
            if let ledger = limits.ledger(subject, windowMilliseconds: 86_400_000) {
                #expect(ledger.isBalanced && ledger.open >= 0 && ledger.releasedTotal >= 0, "\(ledger)")
            }
        }
    }
}

@Suite("Budgets and runaways at admission")
struct BudgetAdmissionTests {
    private func ask(_ bench: SessionBench, _ key: String, nanousd: Int = 0, likeness: UInt64 = 0) async throws
        -> SessionAPI.AdmitReply
    {
        var request = bench.request(key)
        request.estimatedNanousd = nanousd
        request.likeness = likeness
        return try await bench.admission.admit(request, now: bench.now)
    }

    private func settle(_ bench: SessionBench, _ reply: SessionAPI.AdmitReply, nanousd: Int, cached: Bool = false) async throws {
        try await bench.admission.settle(
            SessionAPI.SettleRequest(
                admissionID: reply.admissionID, keyID: reply.keyID, status: 200, costNanousd: nanousd, cached: cached),
            now: bench.now)
    }

    @Test("A spent budget refuses, and says whose it is and when it begins anew")
    func exceeded() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.budgetUSD = 1 }
        let first = try await ask(bench, made.key, nanousd: 600_000_000)
        #expect(first.budget?.limit == 1_000_000_000 && first.budget?.remaining == 400_000_000 && first.budget?.scope == "key")
        #expect(try await ask(bench, made.key, nanousd: 600_000_000).budget?.remaining == 0)
        let refused = try await ask(bench, made.key, nanousd: 600_000_000)
        #expect(refused.verdict == .budgetExceeded && refused.violated == ["key-budget"] && refused.retryAfterMS == 1000)
        #expect(refused.budget.map { $0.resetMS > 0 && $0.resetMS <= 86_400_000 && $0.windowMS == 86_400_000 } == true)
        try await settle(bench, first, nanousd: 100_000_000)
        #expect(try await ask(bench, made.key, nanousd: 600_000_000).verdict == .admitted)
    }

    @Test("Of two budgets that are spent the one that stays so longer is told")
    func longest() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(tenantBudget: 1_000))
        let made = try await bench.makeKey {
            $0.budgetUSD = 1e-6
            $0.budgetWindow = "1h"
        }
        let first = try await ask(bench, made.key, nanousd: 1_000)
        try await settle(bench, first, nanousd: 1_000)
        let refused = try await ask(bench, made.key, nanousd: 1)
        #expect(refused.verdict == .budgetExceeded && refused.violated == ["key-budget", "tenant-budget"])
        #expect(refused.budget?.scope == "tenant" && refused.retryAfterMS == refused.budget?.resetMS)
    }

    @Test("Requests of unknown price are counted apart: with the key, its user and its tenant")
    func unpriced() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.user = "ada" }
        for (cost, cached) in [(nil, false), (7, false), (nil, false), (0, true)] as [(Int?, Bool)] {
            let admitted = try await ask(bench, made.key)
            try await bench.admission.settle(
                SessionAPI.SettleRequest(
                    admissionID: admitted.admissionID, keyID: admitted.keyID, status: 200, inputTokens: cached ? 0 : 10,
                    costNanousd: cost, cached: cached),
                now: bench.now)
        }
        let shown = try await bench.administration.show(KeyName(id: made.id))
        #expect(shown.spend == Spend(requests: 4, inputTokens: 30, costNanousd: 7, unpriced: 2))
        #expect(shown.lastUsedDay == bench.now.unixMilliseconds / 86_400_000 * 86_400_000)
        for (asked, count) in [
            (LimitSelection(keyID: made.id), 2), (LimitSelection(tenant: "acme"), 2),
            (LimitSelection(tenant: "acme", user: "ada"), 2), (LimitSelection(tenant: "acme", user: "eve"), 0),
        ] {
            let report = try await LimitInspection(
                store: bench.store, desk: bench.limits, spend: bench.spend, policy: LimitPolicy(), now: bench.now
            ).show(asked)
            #expect(report.unpricedToday == count)
        }
    }

    @Test("What was spent is not forgotten with the process")
    func restart() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(tenantBudget: 1000))
        let made = try await bench.makeKey()
        let first = try await ask(bench, made.key, nanousd: 900)
        try await settle(bench, first, nanousd: 1100)
        try await bench.spend.flush(bench.store)
        let again = try await SessionBench(folder: bench.folder, policy: LimitPolicy(tenantBudget: 1000))
        let refused = try await ask(again, made.key, nanousd: 200)
        #expect(refused.verdict == .budgetExceeded && refused.violated == ["tenant-budget"] && refused.budget?.remaining == 0)
    }

    @Test("What is not written yet counts too when a budget is read")
    func pending() async throws {
        let bench = try await SessionBench()
        let subject = LimitSubject.tenant("t")
        let start = bench.now.unixMilliseconds / 86_400_000 * 86_400_000_000
        let charge = BudgetCharge(subject: subject, windowMilliseconds: 86_400_000, start: start, nanousd: 7)
        let read = {
            try await bench.spend.budgets.spent(subject, windowMilliseconds: 86_400_000, start: start, bench.store)
        }
        bench.spend.budgets.add([charge])
        #expect(try await read() == 7)
        try await bench.spend.flush(bench.store)
        bench.spend.budgets.add([charge])
        #expect(try await read() == 14)
    }

    @Test("An admission that nobody remembers is charged by its key, once")
    func forgotten() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(tenantBudget: 1000))
        let made = try await bench.makeKey()
        let lost = SessionAPI.SettleRequest(admissionID: "rforgotten", keyID: made.id, status: 200, costNanousd: 600)
        for _ in 0 ..< 3 { try await bench.admission.settle(lost, now: bench.now) }
        let next = try await ask(bench, made.key, nanousd: 1)
        #expect(next.verdict == .admitted && next.budget?.remaining == 399)
    }

    @Test("Each part of a budget is told once")
    func alerts() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(tenantBudget: 1000))
        let made = try await bench.makeKey()
        for _ in 0 ..< 10 { try await settle(bench, try await ask(bench, made.key, nanousd: 100), nanousd: 100) }
        for _ in 0 ..< 3 { #expect(try await ask(bench, made.key, nanousd: 200).verdict == .budgetExceeded) }
        #expect(bench.limits.alerts.list.map(\.threshold) == [50, 80, 100])
        #expect(bench.limits.alerts.list.allSatisfy { $0.tenant == "acme" && $0.subject == "tenant" })
    }

    @Test("Nearly the same call again and again is refused; answers from a cache and calls at once are not")
    func runaway() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(runaway: RunawayPolicy(calls: 3, windowMilliseconds: 60_000)))
        let made = try await bench.makeKey()
        for _ in 0 ..< 5 { try await settle(bench, try await ask(bench, made.key, likeness: 9), nanousd: 0, cached: true) }
        var parallel: [SessionAPI.AdmitReply] = []
        for _ in 0 ..< 10 { parallel.append(try await ask(bench, made.key, likeness: 9)) }
        #expect(parallel.allSatisfy { $0.verdict == .admitted })
        for one in parallel { try await settle(bench, one, nanousd: 0) }
        let refused = try await ask(bench, made.key, likeness: 9)
        #expect(refused.verdict == .runaway && refused.retryAfterMS == 60_000)
        #expect(refused.reason == "more than 3 near-identical calls in 1m (session.runaway.identical_calls: 3)")
        #expect(try await ask(bench, made.key, likeness: 10).verdict == .admitted)
        bench.now = bench.now + .seconds(60)
        #expect(try await ask(bench, made.key, likeness: 9).verdict == .admitted)
    }

    @Test("A runaway is refused for a whole window, which refused calls do not prolong; who goes on gets one call a window")
    func runawayGoesOn() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(runaway: RunawayPolicy(calls: 3, windowMilliseconds: 60_000)))
        let made = try await bench.makeKey()
        for _ in 0 ..< 3 { try await settle(bench, try await ask(bench, made.key, likeness: 9), nanousd: 0) }
        for left in [60, 40, 20] {
            let refused = try await ask(bench, made.key, likeness: 9)
            #expect(refused.verdict == .runaway && refused.retryAfterMS == left * 1000)
            bench.now = bench.now + .seconds(20)
        }
        try await settle(bench, try await ask(bench, made.key, likeness: 9), nanousd: 0)
        let again = try await ask(bench, made.key, likeness: 9)
        #expect(again.verdict == .runaway && again.retryAfterMS == 60_000)
        // A quiet window after the closed one, and the count begins anew.
        bench.now = bench.now + .seconds(120)
        for _ in 0 ..< 3 {
            let reply = try await ask(bench, made.key, likeness: 9)
            #expect(reply.verdict == .admitted)
            try await settle(bench, reply, nanousd: 0)
        }
    }

    @Test("RL17 a weight above the limit is told apart from a limit that is reached")
    func costAboveLimit() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.rpm = 5 }
        var request = bench.request(made.key)
        request.weight = 6
        let reply = try await bench.admission.admit(request, now: bench.now)
        #expect(reply.verdict == .costAboveLimit && reply.violated == ["key-requests"])
    }

    @Test("RL22 a step of the host's clock moves no limit")
    func clockStep() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(perUser: 2, perTenant: nil))
        let made = try await bench.makeKey()
        for _ in 0 ..< 2 { #expect(try await bench.admit(made.key).verdict == .admitted) }
        for step in [-7_200_000, 7_200_000] as [Int64] {
            bench.now.unixMilliseconds += step
            #expect(try await bench.admit(made.key).verdict == .rateLimited)
        }
    }
}
