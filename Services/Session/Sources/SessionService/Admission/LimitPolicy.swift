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
        limits(key.requestsPerMinute, self.user.requestsPerMinute, tenant.requestsPerMinute, key, user)
            .map { ($0.subject, $0.most) }
    }

    /// Tokens per minute, by the same rule.
    package func tokenLimits(of key: KeyRecord, user: String) -> [Reservations.Limit] {
        limits(key.tokensPerMinute, self.user.tokensPerMinute, tenant.tokensPerMinute, key, user)
    }

    /// Requests at once, by the same rule.
    package func concurrencyLimits(of key: KeyRecord, user: String) -> [Reservations.Limit] {
        limits(key.concurrency, self.user.concurrency, tenant.concurrency, key, user)
    }

    /// - Parameters: the limit of one kind of the key itself, of its user and of its tenant.
    private func limits(_ own: Int?, _ user: Int?, _ tenant: Int?, _ key: KeyRecord, _ name: String) -> [Reservations.Limit] {
        var limits: [Reservations.Limit] = []
        if let own {
            limits.append((.key(key.id), own))
        } else if let user {
            limits.append((name.isEmpty ? .key(key.id) : .user(tenant: key.tenant, user: name), user))
        }
        if let tenant { limits.append((.tenant(key.tenant), tenant)) }
        return limits
    }
}
