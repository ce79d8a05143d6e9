/// What `limits show` asks for: a key, or a tenant, or a user of it.
package struct LimitSelection: Codable, Sendable {
    /// The id of a key; nil: `tenant` is given.
    package var keyID: String?
    package var tenant: String?
    /// A user of `tenant`; nil: the tenant as a whole.
    package var user: String?

    /// Selects a key, a tenant, or a user of a tenant.
    package init(keyID: String? = nil, tenant: String? = nil, user: String? = nil) {
        self.keyID = keyID
        self.tenant = tenant
        self.user = user
    }
}

/// The limits of a key, user or tenant as `limits show` gives them.
package struct LimitsReport: Codable, Sendable {
    package var tenant: String
    package var limits: [LimitReport]
    package var budgets: [BudgetReport]
    /// Newest first, of the budgets shown; those this process told since its start.
    package var alerts: [BudgetAlert]
    /// The shared store is away: this is this process's share.
    package var isLocal: Bool
    /// Requests since midnight UTC that used tokens of unknown price, of the key, the user's keys or the tenant: no budget
    /// counts them.
    package var unpricedToday = 0
    /// Nobody knows the tenant; nil: somebody does.
    package var isUnknown: Bool?
}

/// One limit.
package struct LimitReport: Codable, Sendable {
    /// `user:NAME`, `key:ID` or `tenant`.
    package var subject: String
    /// requests (per minute) | tokens (per minute) | concurrency (at once)
    package var kind: String
    package var limit: Int
    package var remaining: Int
    /// Until it is whole again.
    package var resetMilliseconds: Int64
}

/// One budget in its present window. Nano-dollars.
package struct BudgetReport: Codable, Sendable {
    package var subject: String
    package var windowMilliseconds: Int64
    package var limitNanousd: Int
    package var spentNanousd: Int
    /// Held for requests that run.
    package var reservedNanousd: Int
    package var remainingNanousd: Int
    /// Milliseconds since 1970.
    package var windowEndsAt: Int64
}
