/// Which limits a request is held against.
package struct LimitPolicy: Sendable, Equatable {
    /// Requests per minute of a user; nil: unlimited.
    package var perUser: Int?
    /// Requests per minute of a tenant; nil: unlimited.
    package var perTenant: Int?

    /// A policy; both limits are requests per minute.
    package init(perUser: Int?, perTenant: Int?) {
        self.perUser = perUser
        self.perTenant = perTenant
    }

    init(_ configuration: SessionConfiguration) {
        perUser = configuration.perUser.requestsPerMinute
        perTenant = configuration.perTenant.requestsPerMinute
    }

    /// The key's own limit replaces that of its user; the tenant's always holds.
    package func limits(of key: KeyRecord, user: String) -> [(subject: LimitSubject, perMinute: Int)] {
        var limits: [(subject: LimitSubject, perMinute: Int)] = []
        if let own = key.requestsPerMinute {
            limits.append((.key(key.id), own))
        } else if let perUser {
            limits.append((user.isEmpty ? .key(key.id) : .user(tenant: key.tenant, user: user), perUser))
        }
        if let perTenant { limits.append((.tenant(key.tenant), perTenant)) }
        return limits
    }
}
