import BulkheadAPI
import BulkheadCore
import Logging
import SessionService
import Testing

@Suite("Limits that count anew")
struct LimitResetTests {
    private static let policy = LimitPolicy(
        user: IdentityLimits(requestsPerMinute: 2), tenant: IdentityLimits(requestsPerMinute: 3), userBudget: 1_000)

    private func reset(_ bench: SessionBench, _ asked: LimitSelection) async throws -> LimitsReset {
        try await LimitReset(
            store: bench.store, desk: bench.limits, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            knows: { [keys = bench.keys] in keys.knows(tenant: $0) }
        ).reset(asked)
    }

    private func refusing(_ bench: SessionBench, _ key: String) async throws -> [String] {
        let reply = try await bench.admit(key)
        #expect(reply.verdict == (reply.violated.isEmpty ? .admitted : reply.verdict))
        return reply.violated
    }

    @Test("A key's and its user's requests count from zero, a tenant's by itself; money stays")
    func reset() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey { $0.user = "ada" }
        var request = bench.request(made.key)
        request.estimatedNanousd = 400
        let first = try await bench.admission.admit(request, now: bench.now)
        try await bench.settle(first, answer: nil, cost: 400)
        #expect(try await refusing(bench, made.key) == [])
        #expect(try await refusing(bench, made.key) == ["user-requests"])
        let done = try await reset(bench, LimitSelection(keyID: made.id, tenant: "acme"))
        #expect(done.subjects == ["key:\(made.id)", "user:ada"] && done.tenant == "acme" && !done.isLocal)
        #expect(try await refusing(bench, made.key) == [])
        #expect(try await refusing(bench, made.key) == ["tenant-requests"])
        #expect(try await reset(bench, LimitSelection(tenant: "acme")).subjects == ["tenant"])
        let last = try await bench.admit(made.key)
        #expect(last.verdict == .admitted && last.budget?.remaining == 600, "what was spent is spent")
        #expect(try await refusing(bench, made.key) == ["user-requests"])
        _ = try await reset(bench, LimitSelection(tenant: "acme", user: "ada"))
        #expect(try await refusing(bench, made.key) == [])
    }

    @Test("A reset of a tenant nobody knows says so")
    func unknownTenant() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        _ = try await bench.makeKey()
        #expect(try await reset(bench, LimitSelection(tenant: "acme")).isUnknown == nil)
        #expect(try await reset(bench, LimitSelection(tenant: "amce")).isUnknown == true)
    }

    @Test("Who names nobody, both a user and a key, or a key of another tenant, is told so")
    func invalid() async throws {
        let bench = try await SessionBench(policy: Self.policy)
        let made = try await bench.makeKey()
        let cases: [(LimitSelection, StatusCode)] = [
            (LimitSelection(), .invalidArgument), (LimitSelection(keyID: made.id, user: "ada"), .invalidArgument),
            (LimitSelection(keyID: made.id, tenant: "other"), .notFound), (LimitSelection(keyID: "key_x"), .notFound),
        ]
        for (asked, code) in cases {
            let error = await #expect(throws: CallError.self) { _ = try await reset(bench, asked) }
            #expect(error?.code == code)
        }
    }
}
