import BulkheadAPI
import BulkheadCore
import SessionService
import Testing

@Suite("Showing limits")
struct LimitInspectionTests {
    private static let policy = LimitPolicy(
        user: IdentityLimits(requestsPerMinute: 10, concurrency: 3), tenant: IdentityLimits(requestsPerMinute: 100),
        userBudget: 5_000, tenantBudget: 100_000)

    private func show(_ bench: SessionBench, _ asked: LimitSelection) async throws -> LimitsReport {
        try await LimitInspection(
            store: bench.store, desk: bench.limits, spend: bench.spend, policy: Self.policy, now: bench.now,
            knows: { [keys = bench.keys] in keys.knows(tenant: $0) }
        ).show(asked)
    }

    @Test("A key's limits, what is left, what is spent and what is reserved; looking takes nothing")
    func key() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey {
            $0.user = "ada"
            $0.rpm = 20
        }
        var request = bench.request(made.key)
        request.estimatedNanousd = 1_000
        let first = try await bench.admission.admit(request, now: bench.now)
        try await bench.settle(first, answer: nil, cost: 2_600)
        _ = try await bench.admission.admit(request, now: bench.now)
        for _ in 0 ..< 3 {
            let report = try await show(bench, LimitSelection(keyID: made.id))
            let limits = Dictionary(uniqueKeysWithValues: report.limits.map { ("\($0.subject) \($0.kind)", $0) })
            #expect(limits["key:\(made.id) requests"]?.remaining == 18 && limits["user:ada requests"] == nil)
            #expect(limits["user:ada concurrency"]?.remaining == 2 && limits["tenant requests"]?.remaining == 98)
            let budget = try #require(report.budgets.first { $0.subject == "user:ada" })
            #expect(budget.limitNanousd == 5_000 && budget.spentNanousd == 2_600)
            #expect(budget.reservedNanousd == 1_000 && budget.remainingNanousd == 1_400)
            #expect(budget.windowEndsAt % 86_400_000 == 0 && budget.windowEndsAt > bench.now.unixMilliseconds)
            #expect(report.alerts.map(\.threshold) == [50] && report.alerts.first?.subject == "user:ada")
        }
    }

    @Test("A tenant is shown as a whole, a user with its tenant")
    func tenant() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        _ = try await bench.admit(made.key)
        let tenant = try await show(bench, LimitSelection(tenant: "acme"))
        #expect(tenant.limits.map(\.subject) == ["tenant"] && tenant.budgets.map(\.subject) == ["tenant"])
        let user = try await show(bench, LimitSelection(tenant: "acme", user: "ada"))
        #expect(user.limits.first { $0.subject == "user:ada" && $0.kind == "requests" }?.remaining == 9)
        let other = try await show(bench, LimitSelection(tenant: "acme", user: "eve"))
        #expect(tenant.isUnknown == nil && other.isUnknown == nil)
        #expect(try await show(bench, LimitSelection(tenant: "amce")).isUnknown == true)
        #expect(other.limits.first { $0.subject == "user:eve" && $0.kind == "requests" }?.remaining == 10)
    }

    @Test("Who names nobody, a key and a tenant, or a key there is not, is told so")
    func invalid() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let cases: [(LimitSelection, StatusCode)] = [
            (LimitSelection(), .invalidArgument), (LimitSelection(keyID: "key_x", tenant: "acme"), .invalidArgument),
            (LimitSelection(user: "ada"), .invalidArgument), (LimitSelection(keyID: "key_x"), .notFound),
        ]
        for (asked, code) in cases {
            let error = await #expect(throws: CallError.self) { _ = try await show(bench, asked) }
            #expect(error?.code == code)
        }
    }
}
