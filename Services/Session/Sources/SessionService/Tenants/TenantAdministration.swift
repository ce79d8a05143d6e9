import BulkheadCore
import BulkheadStore

/// Shows, blocks and freezes tenants. Durable first, then known to admission, which refuses from then on.
package struct TenantAdministration: Sendable {
    let index: KeyIndex
    let store: any DurableStore
    let spend: SpendLedger
    let now: @Sendable () -> Moment

    /// - Parameter now: the clock.
    package init(index: KeyIndex, store: any DurableStore, spend: SpendLedger, now: @escaping @Sendable () -> Moment) {
        self.index = index
        self.store = store
        self.spend = spend
        self.now = now
    }

    /// All tenants that have or had a key, spent something, are blocked or are frozen, by name.
    package func list() async throws -> [TenantReport] {
        try await spend.flush(store)
        let spent = try await store.transact { db in try SpendTable.byTenant(db) }
        let keys = Dictionary(grouping: index.all, by: \.tenant)
        let decided = Dictionary(
            index.tenants.all.filter { !$0.isEverybody }.map { ($0.tenant, $0) }, uniquingKeysWith: { first, _ in first })
        let present = now().unixMilliseconds
        return Set(keys.keys).union(spent.keys).union(
            decided.values.filter { $0.blockedAt != nil || $0.frozenAt != nil }.map(\.tenant)
        ).sorted()
            .map { tenant in
                TenantReport(
                    tenant: tenant, keys: keys[tenant, default: []].count { $0.refusal(at: present) == nil },
                    spend: spent[tenant] ?? Spend(), standing: decided[tenant])
            }
    }

    /// Refuses all requests of a tenant from now on. Blocking twice keeps the time, and takes the new reason.
    /// - Throws: INVALID_ARGUMENT; what a commit throws.
    package func block(_ asked: TenantBlock) async throws -> TenantReport {
        try KeyRules.check(name: asked.tenant, option: "TENANT", limit: 128)
        if let reason = asked.reason { try KeyRules.check(name: reason, option: "--reason", limit: 256) }
        return try await report(
            change(asked.tenant) { standing, now in
                standing.blockedAt = standing.blockedAt ?? now
                standing.reason = asked.reason ?? standing.reason
            })
    }

    /// Lets a tenant in again. Unblocking one that is not blocked is no error.
    package func unblock(_ asked: TenantBlock) async throws -> TenantReport {
        try KeyRules.check(name: asked.tenant, option: "TENANT", limit: 128)
        return try await report(
            change(asked.tenant) { standing, _ in
                standing.blockedAt = nil
                standing.reason = nil
            })
    }

    /// Refuses what would cost, of a tenant or of everybody. Freezing twice is no error.
    package func freeze(_ asked: SpendFreeze) async throws -> FrozenReport {
        try await setFrozen(asked) { known, now in known ?? now }
    }

    /// Ends a freeze. That of everybody and those of single tenants are ended each by itself.
    package func unfreeze(_ asked: SpendFreeze) async throws -> FrozenReport {
        try await setFrozen(asked) { _, _ in nil }
    }

    private func setFrozen(
        _ asked: SpendFreeze, _ time: @escaping @Sendable (_ known: Int64?, _ now: Int64) -> Int64?
    ) async throws -> FrozenReport {
        if let tenant = asked.tenant { try KeyRules.check(name: tenant, option: "--tenant", limit: 128) }
        let unknown = asked.tenant.flatMap { index.knows(tenant: $0) ? nil : $0 }
        _ = try await change(asked.tenant ?? "") { standing, now in standing.frozenAt = time(standing.frozenAt, now) }
        let frozen = index.tenants.all.filter { $0.frozenAt != nil }
        return FrozenReport(
            everybodySince: frozen.first { $0.isEverybody }?.frozenAt,
            tenants: frozen.filter { !$0.isEverybody }.map(\.tenant).sorted(), unknownTenant: unknown)
    }

    private func change(
        _ tenant: String, _ body: @escaping @Sendable (inout TenantStanding, _ now: Int64) -> Void
    ) async throws -> TenantStanding {
        let standing = try await store.transact { db in try TenantTable.change(tenant, db, body) }
        index.publish(standing)
        return standing
    }

    private func report(_ standing: TenantStanding) async throws -> TenantReport {
        let present = now().unixMilliseconds
        let keys = index.all.count { $0.tenant == standing.tenant && $0.refusal(at: present) == nil }
        let spent = try await store.transact { db in try SpendTable.byTenant(db) }
        return TenantReport(tenant: standing.tenant, keys: keys, spend: spent[standing.tenant] ?? Spend(), standing: standing)
    }
}
