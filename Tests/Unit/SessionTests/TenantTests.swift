import BulkheadAPI
import BulkheadCore
import SessionService
import Testing

@Suite("Tenants")
struct TenantTests {
    @Test("A blocked tenant is refused at once and whatever it asks, others are not; also after a restart")
    func block() async throws {
        let bench = try await SessionBench()
        let (blocked, other) = (try await bench.makeKey("acme"), try await bench.makeKey("other"))
        let report = try await bench.tenants.block(TenantBlock(tenant: "acme", reason: "unpaid"))
        #expect(report.blockedAt == SessionBench.start.unixMilliseconds && report.reason == "unpaid" && report.keys == 1)
        for bench in [bench, try await SessionBench(folder: bench.folder)] {
            let reply = try await bench.admit(blocked.key)
            #expect(reply.verdict == .tenantBlocked && reply.tenant == "acme" && reply.reason.contains("unpaid"))
            var question = bench.request(blocked.key)
            question.count = false
            #expect(try await bench.admission.admit(question, now: bench.now).verdict == .tenantBlocked)
            #expect(try await bench.admit(other.key).verdict == .admitted)
        }
        _ = try await bench.tenants.unblock(TenantBlock(tenant: "acme"))
        #expect(try await bench.admit(blocked.key).verdict == .admitted)
    }

    @Test("A key that is made while its tenant is blocked is refused too")
    func newKey() async throws {
        let bench = try await SessionBench()
        _ = try await bench.tenants.block(TenantBlock(tenant: "acme"))
        let made = try await bench.makeKey("acme")
        #expect(try await bench.admit(made.key).verdict == .tenantBlocked)
    }

    @Test("A tenant that is no key's can be blocked and is listed; unblocked it is not")
    func unknownTenant() async throws {
        let bench = try await SessionBench()
        #expect(try await bench.tenants.block(TenantBlock(tenant: "ghost")).keys == 0)
        #expect(try await bench.tenants.list().map(\.tenant) == ["ghost"])
        _ = try await bench.tenants.unblock(TenantBlock(tenant: "ghost"))
        _ = try await bench.tenants.unblock(TenantBlock(tenant: "nobody"))
        #expect(try await bench.tenants.list().isEmpty)
    }

    @Test("Frozen for everybody: what counts is refused, questions are answered", arguments: [nil, "acme"])
    func freeze(tenant: String?) async throws {
        let bench = try await SessionBench()
        let (frozen, other) = (try await bench.makeKey("acme"), try await bench.makeKey("other"))
        let report = try await bench.tenants.freeze(SpendFreeze(tenant: tenant))
        #expect((report.everybodySince != nil) == (tenant == nil) && report.tenants == (tenant.map { [$0] } ?? []))
        for bench in [bench, try await SessionBench(folder: bench.folder)] {
            #expect(try await bench.admit(frozen.key).verdict == .spendFrozen)
            #expect(try await bench.admit(frozen.key, idempotency: "once").verdict == .spendFrozen)
            #expect(try await bench.admit(other.key).verdict == (tenant == nil ? .spendFrozen : .admitted))
            var question = bench.request(frozen.key)
            question.count = false
            #expect(try await bench.admission.admit(question, now: bench.now).verdict == .admitted)
        }
        #expect(try await bench.tenants.unfreeze(SpendFreeze(tenant: tenant)).tenants.isEmpty)
        #expect(try await bench.admit(frozen.key, idempotency: "once").verdict == .admitted)
    }

    @Test("The freeze of everybody and that of a tenant end each by itself")
    func twoFreezes() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey("acme")
        _ = try await bench.tenants.freeze(SpendFreeze(tenant: "acme"))
        _ = try await bench.tenants.freeze(SpendFreeze())
        let left = try await bench.tenants.unfreeze(SpendFreeze())
        #expect(left.everybodySince == nil && left.tenants == ["acme"])
        #expect(try await bench.admit(made.key).verdict == .spendFrozen)
        _ = try await bench.tenants.unfreeze(SpendFreeze(tenant: "acme"))
        #expect(try await bench.admit(made.key).verdict == .admitted)
    }

    @Test("A name that is none is refused by the name of its option")
    func names() async throws {
        let bench = try await SessionBench()
        let long = String(repeating: "x", count: 129)
        for name in ["", "a\u{7}", long] {
            let block = await #expect(throws: CallError.self) { _ = try await bench.tenants.block(TenantBlock(tenant: name)) }
            #expect(block?.code == .invalidArgument && block?.message.hasPrefix("TENANT") == true)
            // The empty name must not be everybody by accident.
            let freeze = await #expect(throws: CallError.self) { _ = try await bench.tenants.freeze(SpendFreeze(tenant: name)) }
            #expect(freeze?.message.hasPrefix("--tenant") == true)
        }
    }
}
