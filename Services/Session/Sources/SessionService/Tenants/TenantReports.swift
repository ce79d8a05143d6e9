/// A tenant as `tenants list`, `block` and `unblock` give it.
package struct TenantReport: Codable, Sendable {
    package var tenant: String
    /// Keys that are good now.
    package var keys: Int
    /// By all its keys, since the first.
    package var spend: Spend
    /// Milliseconds since 1970, as all times here; nil: not blocked.
    package var blockedAt: Int64?
    /// Why it is blocked, as the operator put it.
    package var reason: String?
    /// Since when the tenant may not spend; nil: it may, unless nobody may.
    package var frozenAt: Int64?

    init(tenant: String, keys: Int, spend: Spend, standing: TenantStanding?) {
        self.tenant = tenant
        self.keys = keys
        self.spend = spend
        blockedAt = standing?.blockedAt
        reason = standing?.reason
        frozenAt = standing?.frozenAt
    }

    /// good | blocked | frozen, for people.
    package var state: String { blockedAt != nil ? "blocked" : frozenAt != nil ? "frozen" : "good" }
}

/// What `tenants block` asks for.
package struct TenantBlock: Codable, Sendable {
    package var tenant: String
    /// For the log of session and for `tenants list`; clients are not told.
    package var reason: String?

    /// Blocks, or unblocks, a tenant.
    package init(tenant: String, reason: String? = nil) {
        self.tenant = tenant
        self.reason = reason
    }
}

/// What `spend freeze` and `unfreeze` ask for.
package struct SpendFreeze: Codable, Sendable {
    /// nil: everybody.
    package var tenant: String?

    /// Freezes the spend of a tenant or of everybody.
    package init(tenant: String? = nil) { self.tenant = tenant }
}

/// Who may not spend now.
package struct FrozenReport: Codable, Sendable {
    /// Since when nobody may; nil: all may but `tenants`.
    package var everybodySince: Int64?
    /// Tenants frozen by themselves, by name.
    package var tenants: [String]
    /// The tenant named, if nobody knew it before; nil: it is known, or none was named.
    package var unknownTenant: String?
}
