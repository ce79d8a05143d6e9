/// Which limits a request is held against.
package struct LimitPolicy: Sendable, Equatable {
    /// What one user may ask for.
    package var user: IdentityLimits
    /// What all users of a tenant may ask for together.
    package var tenant: IdentityLimits

    /// A policy of requests per minute; nil: unlimited.
    package init(perUser: Int?, perTenant: Int?) {
        self.init(user: IdentityLimits(requestsPerMinute: perUser), tenant: IdentityLimits(requestsPerMinute: perTenant))
    }

    package init(user: IdentityLimits, tenant: IdentityLimits) {
        self.user = user
        self.tenant = tenant
    }

    init(_ configuration: SessionConfiguration) { self.init(user: configuration.perUser, tenant: configuration.perTenant) }

    /// Requests per minute. The key's own limit replaces that of its user; the tenant's always holds.
    package func limits(of key: KeyRecord, user: String) -> [(subject: LimitSubject, perMinute: Int)] {
        limits(\.requestsPerMinute, own: key.requestsPerMinute, key, user).map { ($0.subject, $0.most) }
    }

    /// Tokens per minute, by the same rule.
    package func tokenLimits(of key: KeyRecord, user: String) -> [Reservations.Limit] {
        limits(\.tokensPerMinute, own: key.tokensPerMinute, key, user)
    }

    /// Requests at once, by the same rule.
    package func concurrencyLimits(of key: KeyRecord, user: String) -> [Reservations.Limit] {
        limits(\.concurrency, own: key.concurrency, key, user)
    }

    private func limits(
        _ kind: KeyPath<IdentityLimits, Int?>, own: Int?, _ key: KeyRecord, _ name: String
    ) -> [Reservations.Limit] {
        var limits: [Reservations.Limit] = []
        if let own {
            limits.append((.key(key.id), own))
        } else if let most = user[keyPath: kind] {
            limits.append((name.isEmpty ? .key(key.id) : .user(tenant: key.tenant, user: name), most))
        }
        if let most = tenant[keyPath: kind] { limits.append((.tenant(key.tenant), most)) }
        return limits
    }
}
