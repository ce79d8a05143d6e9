import BulkheadCore

/// What is known of an API key, besides the key itself.
package struct KeyRecord: Sendable, Equatable {
    /// Names the key for people and verbs; tells nothing about it.
    package var id: String
    /// The id of the first key of those that were rotated into this one; its own for one that was never rotated. Limits, places,
    /// budgets and Idempotency-Keys of all of them are counted under it.
    package var account: String
    package var digest: KeyDigest
    /// The key's first characters, by which its holder can tell it from others; empty for keys made before they were kept.
    package var prefix = ""
    package var tenant: String
    /// The user the key belongs to; nil: the tenant's own.
    package var user: String?
    /// May read metrics and administer over HTTP.
    package var isAdmin = false
    /// May name the user of a request.
    package var mayAssertUser = false
    /// Groups of routes the key may use, by their names; empty: all. One of a later version, unknown here, covers no route.
    package var scopes: [String] = []
    /// Destinations the key may call through the credential proxy; empty: none.
    package var destinations: [String] = []
    /// Models the key may use; empty: all. A trailing `*` stands for any end.
    package var models: [String] = []
    /// Requests per minute; nil: the limit of its user.
    package var requestsPerMinute: Int?
    /// Tokens per minute; nil: the limit of its user.
    package var tokensPerMinute: Int?
    /// Requests at once; nil: the limit of its user.
    package var concurrency: Int?
    /// Billionths of a US dollar per `budgetWindowMilliseconds`.
    package var budgetNanousd: Int?
    package var budgetWindowMilliseconds: Int?
    /// Milliseconds since 1970, as all times here.
    package var createdAt: Int64
    package var expiresAt: Int64?
    package var revokedAt: Int64?
    /// The key this one was made to replace.
    package var replaces: String?
    /// When the row was last written, by the store's clock.
    package var changedAt: Int64 = 0

    /// A key of a tenant without limits of its own.
    package init(id: String, digest: KeyDigest, tenant: String, user: String? = nil, createdAt: Int64) {
        self.id = id
        account = id
        self.digest = digest
        self.tenant = tenant
        self.user = user
        self.createdAt = createdAt
    }

    /// Why the key is refused at `now`; nil: it is good.
    package func refusal(at now: Int64) -> String? {
        if let revokedAt, revokedAt <= now { return "the key was revoked" }
        if let expiresAt, expiresAt <= now { return "the key has expired" }
        return nil
    }

    /// Whether the key may use `model`; an empty name is no model at all and allowed.
    package func allows(model: String) -> Bool {
        ModelPattern.covers(models, model: model)
    }

    /// Whether the key's scopes cover `route`.
    package func covers(route: String) -> Bool {
        KeyScope.covers(scopes, route: route)
    }
}
