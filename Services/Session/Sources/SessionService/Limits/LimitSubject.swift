/// Whose requests are counted together. Those of two tenants never are.
package enum LimitSubject: Hashable, Sendable {
    /// A key, or a user over all keys.
    case identity(tenant: String, Identity)
    /// Everybody of a tenant.
    case tenant(String)

    package var tenant: String {
        switch self {
        case .identity(let tenant, _), .tenant(let tenant): tenant
        }
    }

    /// Within its tenant: `user:NAME`, `end:NAME`, `key:ID` or `tenant`.
    package var text: String {
        switch self {
        case .identity(_, let identity): identity.text
        case .tenant: "tenant"
        }
    }

    /// What replies call it: key, user or tenant.
    package var scope: String {
        switch self {
        case .identity(_, .key): "key"
        case .identity: "user"
        case .tenant: "tenant"
        }
    }
}

/// Calls that are nearly the same, of one key and user.
package struct LikenessSubject: Hashable, Sendable {
    package var key: String
    package var identity: Identity
    package var likeness: UInt64

    /// Calls of a key for somebody.
    package init(key: String, identity: Identity, likeness: UInt64) {
        self.key = key
        self.identity = identity
        self.likeness = likeness
    }
}
