import BulkheadCore
import BulkheadStore

/// The rows of `tenant`.
enum TenantTable {
    /// Tenants that can be blocked or frozen: all of them are in memory.
    static let capacity = 100_000

    private static let columns = "tenant, blocked_at, reason, frozen_at, changed_at"
    private static let byName = Statement("tenants.find", "SELECT \(columns) FROM tenant WHERE tenant = $1")
    private static let changedAfter = Statement(
        "tenants.changed",
        """
        SELECT \(columns) FROM tenant WHERE (changed_at, tenant) > ($1, $2) ORDER BY changed_at, tenant LIMIT \(ChangePage.size)
        """)
    private static let count = Statement("tenants.count", "SELECT count(*) FROM tenant")
    private static let upsert = Statement(
        "tenants.write",
        """
        INSERT INTO tenant (\(columns)) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant) DO UPDATE SET blocked_at = excluded.blocked_at, reason = excluded.reason,
            frozen_at = excluded.frozen_at, changed_at = excluded.changed_at
        """)

    /// Changes how a tenant stands, and gives how it does now.
    /// - Throws: RESOURCE_EXHAUSTED at `capacity`.
    static func change(
        _ tenant: String, _ store: any StoreTransaction, _ body: (inout TenantStanding, _ now: Int64) -> Void
    ) throws -> TenantStanding {
        let known = try store.rows(byName, [.text(tenant)]).first.map(standing)
        if known == nil, Int(try store.rows(count, []).first?.integer(0) ?? 0) >= capacity {
            throw CallError(
                .resourceExhausted, reason: "too_many_tenants",
                message: "\(capacity) tenants were blocked or frozen already: no more can be kept in memory")
        }
        let before = known ?? TenantStanding(tenant: tenant)
        var after = before
        body(&after, store.now)
        guard after != before else { return before }
        after.changedAt = max(store.now, before.changedAt)
        try store.run(
            upsert,
            [
                .text(after.tenant), .optional(after.blockedAt), .optional(after.reason), .optional(after.frozenAt),
                .integer(after.changedAt),
            ])
        return after
    }

    /// The next rows after a place, in the order in which they were changed.
    static func changed(after place: ChangePage.Place, _ store: any StoreTransaction) throws -> [TenantStanding] {
        try store.rows(changedAfter, [.integer(place.changedAt), .text(place.name)]).map(standing)
    }

    private static func standing(_ row: SQLRow) -> TenantStanding {
        var standing = TenantStanding(tenant: row.text(0))
        standing.blockedAt = row.optionalInteger(1)
        standing.reason = row.optionalText(2)
        standing.frozenAt = row.optionalInteger(3)
        standing.changedAt = row.integer(4)
        return standing
    }
}
