import BulkheadAPI
import BulkheadCore
import NIOCore
import SessionService
import Testing

@Suite("Admissions for tokens")
struct TokenIdentityTests {
    private func identity(
        _ tenant: String = "acme", user: String = "alice", scopes: [String] = [], models: [String] = [], creates: Bool = false
    ) -> SessionAPI.TokenIdentity {
        SessionAPI.TokenIdentity(
            keyID: "oidc:0123456789abcdef", tenant: tenant, user: user, scopes: scopes, models: models, createsTenant: creates)
    }

    private func request(_ identity: SessionAPI.TokenIdentity, idempotency: String? = nil) -> SessionAPI.AdmitRequest {
        SessionAPI.AdmitRequest(
            route: "/v1/chat/completions", model: "assistant", idempotencyKey: idempotency,
            requestDigest: idempotency.map { _ in ByteBuffer(repeating: 1, count: 32) }, identity: identity)
    }

    private func admit(_ bench: SessionBench, _ identity: SessionAPI.TokenIdentity) async throws -> SessionAPI.AdmitReply {
        try await bench.admission.admit(request(identity), now: bench.now)
    }

    @Test("A token's user is admitted without a key, never as an admin, and asserts nobody")
    func admitted() async throws {
        let bench = try await SessionBench()
        _ = try await bench.makeKey("acme")
        var asked = request(identity())
        asked.assertedUser = "bob"
        let reply = try await bench.admission.admit(asked, now: bench.now)
        #expect(reply.verdict == .admitted && reply.tenant == "acme" && reply.user == "alice")
        #expect(reply.keyID == "oidc:0123456789abcdef" && !reply.admin && reply.destinations.isEmpty)
    }

    @Test("A tenant nobody knows is refused unless tokens may bring it in")
    func tenants() async throws {
        let bench = try await SessionBench()
        let reply = try await admit(bench, identity("new"))
        #expect(reply.verdict == .tenantUnknown && reply.tenant == "new" && reply.admissionID.isEmpty)
        #expect(try await admit(bench, identity("new", creates: true)).verdict == .admitted)
        let key = try await bench.makeKey("new")
        _ = try await bench.administration.revoke(KeyName(id: key.id))
        #expect(try await admit(bench, identity("new")).verdict == .admitted, "a tenant that had a key is known")
    }

    @Test("Scopes, models, blocks and freezes hold as for a key")
    func standing() async throws {
        let bench = try await SessionBench()
        _ = try await bench.makeKey("acme")
        #expect(try await admit(bench, identity(scopes: ["none"])).verdict == .scopeRefused)
        #expect(try await admit(bench, identity(scopes: ["models"])).verdict == .admitted)
        #expect(try await admit(bench, identity(models: ["other"])).verdict == .modelRefused)
        _ = try await bench.tenants.freeze(SpendFreeze(tenant: "acme"))
        #expect(try await admit(bench, identity()).verdict == .spendFrozen)
        _ = try await bench.tenants.block(TenantBlock(tenant: "acme"))
        #expect(try await admit(bench, identity()).verdict == .tenantBlocked)
    }

    @Test("The limits of a user hold over keys and tokens together, and its Idempotency-Keys are one's own")
    func limits() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(perUser: 2, perTenant: nil))
        let key = try await bench.makeKey("acme") { $0.user = "alice" }
        #expect(try await admit(bench, identity()).verdict == .admitted)
        #expect(try await bench.admit(key.key).verdict == .admitted)
        let refused = try await admit(bench, identity())
        #expect(refused.verdict == .rateLimited && refused.violated == ["user-requests"])
        #expect(try await admit(bench, identity(user: "bob")).verdict == .admitted)
    }

    @Test("An Idempotency-Key of a user is the same with a token and a key")
    func idempotency() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey("acme") { $0.user = "alice" }
        let first = try await bench.admission.admit(request(identity(), idempotency: "once"), now: bench.now)
        #expect(first.verdict == .admitted)
        #expect(try await bench.admit(key.key, idempotency: "once").verdict == .idempotencyRunning)
        let other = try await bench.admission.admit(request(identity(user: "bob"), idempotency: "once"), now: bench.now)
        #expect(other.verdict == .admitted)
    }

    @Test("What a token's requests cost is its tenant's, also when their end is told to another run of session")
    func spend() async throws {
        let bench = try await SessionBench()
        _ = try await bench.makeKey("acme")
        let admitted = try await admit(bench, identity())
        let ended = SessionAPI.SettleRequest(
            admissionID: admitted.admissionID, keyID: admitted.keyID, status: 200, inputTokens: 10, outputTokens: 20,
            costNanousd: 700, identity: identity())
        let later = try await SessionBench(folder: bench.folder)
        for _ in 0 ..< 2 { try await later.admission.settle(ended, now: later.now) }
        let report = try #require(try await later.tenants.list().first { $0.tenant == "acme" })
        #expect(report.spend == Spend(requests: 1, inputTokens: 10, outputTokens: 20, costNanousd: 700))
        var fresh = identity("fresh")
        fresh.keyID = "oidc:fedcba9876543210"
        let created = SessionAPI.SettleRequest(
            admissionID: "r1234567890", keyID: fresh.keyID, status: 200, inputTokens: 1, identity: fresh)
        try await later.admission.settle(created, now: later.now)
        #expect(try await later.tenants.list().contains { $0.tenant == "fresh" }, "who spent is shown")
    }

    @Test(
        "What edge would not send is refused",
        arguments: ["", "key_x", "oidc:short", "oidc:0123456789abcde/", "oidc:0123456789abcdefg"])
    func malformed(_ id: String) async throws {
        let bench = try await SessionBench()
        var wrong = identity(creates: true)
        wrong.keyID = id
        await #expect(throws: CallError.self) { try await admit(bench, wrong) }
        for wrong in [identity("", creates: true), identity(user: "", creates: true), identity("a\u{0}", creates: true)] {
            await #expect(throws: CallError.self) { try await admit(bench, wrong) }
        }
    }
}
