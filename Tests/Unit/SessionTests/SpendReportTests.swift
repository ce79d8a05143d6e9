import BulkheadAPI
import BulkheadCore
import BulkheadStore
import SessionService
import Testing

@Suite("Spend reported after an outage")
struct SpendReportTests {
    private static let policy = LimitPolicy(userBudget: 5_000, tenantBudget: 100_000)

    private func entry(
        _ key: KeyCreated, _ cost: Int, user: String? = nil, end: String? = nil, at bench: SessionBench, ago: Int64 = 0
    ) -> SessionAPI.SpentAway {
        SessionAPI.SpentAway(
            keyID: key.id, assertedUser: user, endUser: end, atMS: Int(bench.now.unixMilliseconds - ago), requests: 2,
            inputTokens: 30, outputTokens: 40, costNanousd: cost)
    }

    private func tell(
        _ bench: SessionBench, _ name: String, _ spent: SessionAPI.SpentAway...
    ) async throws -> SessionAPI.ReportSpendReply {
        try await bench.admission.take(.init(reportID: name, spent: spent), bench.store, now: bench.now)
    }

    private func spent(_ bench: SessionBench, _ asked: LimitSelection) async throws -> [String: BudgetReport] {
        let report = try await LimitInspection(
            store: bench.store, desk: bench.limits, spend: bench.spend, policy: Self.policy, now: bench.now
        ).show(asked)
        return Dictionary(uniqueKeysWithValues: report.budgets.map { ($0.subject, $0) })
    }

    @Test("A report counts once, however often it is told: for the key, its user and the tenant")
    func once() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        #expect(try await tell(bench, "report01", entry(made, 2_000, at: bench)) == .init())
        for _ in 0 ..< 3 { #expect(try await tell(bench, "report01", entry(made, 2_000, at: bench)).isRepeated) }
        let shown = try await bench.administration.show(KeyName(id: made.id)).spend
        #expect(shown == Spend(requests: 2, inputTokens: 30, outputTokens: 40, costNanousd: 2_000))
        let budgets = try await spent(bench, LimitSelection(keyID: made.id))
        #expect(budgets["user:ada"]?.spentNanousd == 2_000 && budgets["user:ada"]?.remainingNanousd == 3_000)
        #expect(budgets["tenant"]?.spentNanousd == 2_000 && budgets["tenant"]?.reservedNanousd == 0)
        #expect(try await !tell(bench, "report02", entry(made, 500, at: bench)).isRepeated)
        #expect(try await spent(bench, LimitSelection(keyID: made.id))["user:ada"]?.spentNanousd == 2_500)
    }

    @Test(
        "A budget that is used up by it refuses the next request, whether it was asked for before or not",
        arguments: [false, true])
    func usedUp(isKnown: Bool) async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        if isKnown { #expect(try await bench.admit(made.key).verdict == .admitted) }
        _ = try await tell(bench, "report01", entry(made, 5_000, at: bench))
        #expect(try await bench.admit(made.key).verdict == .budgetExceeded)
        let ledger = bench.local.ledger(.identity(tenant: "acme", .user("ada")), windowMilliseconds: 86_400_000)
        #expect(ledger?.isBalanced == true && ledger?.spent == 5_000)
    }

    @Test("It is durable: a session that starts anew knows it, and that the report was taken")
    func durable() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        _ = try await tell(bench, "report01", entry(made, 5_000, at: bench))
        try bench.store.close()
        let next = try await SessionBench(folder: bench.folder, policy: Self.policy)
        #expect(try await tell(next, "report01", entry(made, 5_000, at: next)).isRepeated)
        #expect(try await next.admit(made.key).verdict == .budgetExceeded)
        #expect(try await spent(next, LimitSelection(keyID: made.id))["user:ada"]?.spentNanousd == 5_000)
    }

    @Test("It counts for whoever it was spent for: asserted and named users have budgets of their own")
    func users() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.assertUser = true }
        _ = try await tell(
            bench, "report01", entry(made, 4_000, user: "ada", at: bench), entry(made, 1_000, end: "eve", at: bench))
        #expect(try await spent(bench, LimitSelection(tenant: "acme", user: "ada"))["user:ada"]?.spentNanousd == 4_000)
        #expect(try await spent(bench, LimitSelection(tenant: "acme"))["tenant"]?.spentNanousd == 5_000)
        let end = try await bench.spend.budgets.spent(
            .identity(tenant: "acme", .end("eve")), windowMilliseconds: 86_400_000,
            start: bench.now.unixMilliseconds / 86_400_000 * 86_400_000_000, bench.store)
        #expect(end == 1_000)
    }

    @Test("What was spent in a window that is over does not burden the present one")
    func earlierWindow() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        _ = try await tell(bench, "report01", entry(made, 5_000, at: bench, ago: 86_400_000))
        #expect(try await bench.admit(made.key).verdict == .admitted)
        let shown = try await bench.administration.show(KeyName(id: made.id))
        #expect(shown.spend?.costNanousd == 5_000 && shown.spendToday?.costNanousd == 0)
    }

    @Test("Whoever showed a token is charged, too")
    func tokens() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let identity = SessionAPI.TokenIdentity(keyID: "oidc:0123456789abcdef", tenant: "acme", user: "ada")
        let spent = SessionAPI.SpentAway(
            keyID: identity.keyID, atMS: Int(bench.now.unixMilliseconds), requests: 1, costNanousd: 5_000, identity: identity)
        #expect(try await tell(bench, "report01", spent).unknown == 0)
        #expect(try await self.spent(bench, LimitSelection(tenant: "acme", user: "ada"))["user:ada"]?.remainingNanousd == 0)
    }

    @Test("Keys nobody knows are named by their number, and the others are counted")
    func unknown() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey()
        var stranger = entry(made, 7, at: bench)
        stranger.keyID = "key_nobody"
        #expect(try await tell(bench, "report01", stranger, entry(made, 9, at: bench)).unknown == 1)
        #expect(try await bench.administration.show(KeyName(id: made.id)).spend?.costNanousd == 9)
    }

    @Test("Amounts and times out of range are brought into it, names are checked")
    func hostile() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey()
        for at in [Int.min, 0, .max] {
            var wild = entry(made, .max, at: bench)
            (wild.requests, wild.inputTokens, wild.outputTokens, wild.atMS) = (-5, .min, .max, at)
            _ = try await tell(bench, "wild\(abs(at % 1000))xxxx", wild)
        }
        #expect(try await bench.administration.show(KeyName(id: made.id)).spend?.requests == 0)
        for name in ["", "short", "with space", String(repeating: "x", count: 41)] {
            await #expect { _ = try await tell(bench, name, entry(made, 1, at: bench)) } throws: {
                ($0 as? CallError)?.code == .invalidArgument
            }
        }
        await #expect(throws: CallError.self) {
            let many = Array(repeating: entry(made, 1, at: bench), count: 513)
            _ = try await bench.admission.take(.init(reportID: "manyentries", spent: many), bench.store, now: bench.now)
        }
    }
}

@Suite("What an admission tells of its key")
struct KeyFactsTests {
    @Test("Scopes, the time until it ends, and whether spending is frozen")
    func facts() async throws {
        let bench = try await SessionBench()
        let plain = try await bench.makeKey()
        let reply = try await bench.admit(plain.key)
        #expect(reply.scopes.isEmpty && reply.expiresInMS == 0 && !reply.spendFrozen && reply.otherBudgets.isEmpty)
        let held = try await bench.makeKey {
            $0.scopes = ["models", "read"]
            $0.expires = "1h"
        }
        bench.now.unixMilliseconds += 60_000
        let told = try await bench.admit(held.key)
        #expect(told.scopes == ["models", "read"] && told.expiresInMS == 3_540_000)
    }

    @Test("All budgets are told, the one with the least left by itself")
    func budgets() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(userBudget: 50, tenantBudget: 100))
        let made = try await bench.makeKey {
            $0.assertUser = true
            $0.budgetUSD = 1
            $0.budgetWindow = "1h"
        }
        let reply = try await bench.admit(made.key)
        #expect(reply.budget?.limit == 100 && reply.otherBudgets.map(\.limit) == [1_000_000_000])
        var asked = bench.request(made.key)
        asked.assertedUser = "ada"
        let others = try await bench.admission.admit(asked, now: bench.now)
        #expect(others.budget?.limit == 50 && Set(others.otherBudgets.map(\.limit)) == [100, 1_000_000_000])
        #expect(others.otherBudgets.first { $0.scope == "key" }?.windowMS == 3_600_000)
    }
}
