/// What `keys create` asks for.
package struct KeyCreation: Codable, Sendable {
    package var tenant: String
    package var user: String?
    package var admin = false
    package var assertUser = false
    /// Groups of routes; empty: all.
    package var scopes: [String] = []
    package var destinations: [String] = []
    package var models: [String] = []
    package var rpm: Int?
    package var tpm: Int?
    package var concurrency: Int?
    package var budgetUSD: Double?
    /// As typed, e.g. `1d`.
    package var budgetWindow: String?
    /// As typed, e.g. `30d`.
    package var expires: String?

    /// A key of `tenant` without anything special.
    package init(tenant: String) { self.tenant = tenant }
}

/// A new key. The only time it is shown.
package struct KeyCreated: Codable, Sendable {
    package var id: String
    package var key: String
    package var tenant: String
    package var user: String?
    /// Milliseconds since 1970.
    package var expiresAt: Int64?
}

/// Names a key.
package struct KeyName: Codable, Sendable {
    package var id: String

    /// The id as `keys list` shows it.
    package init(id: String) { self.id = id }
}

/// What `keys rotate` asks for.
package struct KeyRotation: Codable, Sendable {
    package var id: String
    /// How long the old key stays good, as typed, e.g. `1h`; nil: not at all.
    package var overlap: String?

    /// Replaces the key `id`.
    package init(id: String, overlap: String?) {
        self.id = id
        self.overlap = overlap
    }
}

/// What `keys list` asks for.
package struct KeySelection: Codable, Sendable {
    /// nil: of all tenants.
    package var tenant: String?
    /// good | revoked | expired; nil: all.
    package var state: String?

    /// Selects by tenant and state.
    package init(tenant: String? = nil, state: String? = nil) {
        self.tenant = tenant
        self.state = state
    }
}

/// Whether a key can be used.
package enum KeyState: String, Sendable, CaseIterable {
    case good
    case revoked
    case expired

    init(_ key: KeyRecord, now: Int64) {
        self = key.refusal(at: now) == nil ? .good : key.revokedAt.map { $0 <= now } ?? false ? .revoked : .expired
    }
}

/// A key as `keys list` and `keys show` give it; never the key itself.
package struct KeyReport: Codable, Sendable {
    package var id: String
    /// The key's first characters; empty for keys made before they were kept.
    package var prefix: String
    /// good | revoked | expired
    package var state: String
    package var tenant: String
    package var user: String?
    package var admin: Bool
    package var assertUser: Bool
    /// Groups of routes; empty: all.
    package var scopes: [String]
    package var destinations: [String]
    package var models: [String]
    package var rpm: Int?
    package var tpm: Int?
    package var concurrency: Int?
    package var budgetUSD: Double?
    package var budgetWindowMilliseconds: Int?
    /// Milliseconds since 1970, as all times here.
    package var createdAt: Int64
    package var expiresAt: Int64?
    package var revokedAt: Int64?
    package var replaces: String?
    /// The first key of those that were rotated into this one; under its id limits, budgets and spend of all of them are counted.
    package var account: String
    /// Of all keys of the account, since the first was made; `keys show` only.
    package var spend: Spend?
    /// Of all keys of the account, since midnight UTC; `keys show` only.
    package var spendToday: Spend?
    /// Midnight UTC of the last day on which a request of the key ran; `keys show` only; nil: none was counted.
    package var lastUsedDay: Int64?

    init(_ key: KeyRecord, now: Int64) {
        id = key.id
        prefix = key.prefix
        state = KeyState(key, now: now).rawValue
        tenant = key.tenant
        user = key.user
        admin = key.isAdmin
        assertUser = key.mayAssertUser
        scopes = key.scopes
        destinations = key.destinations
        models = key.models
        rpm = key.requestsPerMinute
        tpm = key.tokensPerMinute
        concurrency = key.concurrency
        budgetUSD = key.budgetNanousd.map { Double($0) / 1e9 }
        budgetWindowMilliseconds = key.budgetWindowMilliseconds
        createdAt = key.createdAt
        expiresAt = key.expiresAt
        revokedAt = key.revokedAt
        replaces = key.replaces
        account = key.account
    }
}
