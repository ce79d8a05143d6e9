/// Calls that are nearly the same and come over and over.
package struct RunawayPolicy: Sendable, Equatable {
    /// Calls within the window beyond which they are refused.
    package var calls: Int
    package var windowMilliseconds: Int64

    package init(calls: Int, windowMilliseconds: Int64) {
        self.calls = calls
        self.windowMilliseconds = windowMilliseconds
    }
}

/// Which limits a request is held against.
package struct LimitPolicy: Sendable, Equatable {
    /// What one user may ask for.
    package var user: IdentityLimits
    /// What all users of a tenant may ask for together.
    package var tenant: IdentityLimits
    /// Nano-dollars a day; nil: no budget.
    package var userBudget: Int?
    package var tenantBudget: Int?
    /// nil: such calls are not counted.
    package var runaway: RunawayPolicy?

    static let day: Int64 = 86_400_000

    /// A policy of requests per minute; nil: unlimited.
    package init(perUser: Int?, perTenant: Int?) {
        self.init(
            user: IdentityLimits(requestsPerMinute: perUser), tenant: IdentityLimits(requestsPerMinute: perTenant))
    }

    package init(
        user: IdentityLimits = IdentityLimits(), tenant: IdentityLimits = IdentityLimits(), userBudget: Int? = nil,
        tenantBudget: Int? = nil, runaway: RunawayPolicy? = nil
    ) {
        self.user = user
        self.tenant = tenant
        self.userBudget = userBudget
        self.tenantBudget = tenantBudget
        self.runaway = runaway
    }

    init(_ configuration: SessionConfiguration) {
        self.init(
            user: configuration.perUser, tenant: configuration.perTenant,
            userBudget: configuration.budgetPerUser.map(Self.nanousd),
            tenantBudget: configuration.budgetPerTenant.map(Self.nanousd),
            runaway: RunawayPolicy(
                calls: configuration.runawayCalls,
                windowMilliseconds: configuration.runawayWindow.nanosecondsClamped / 1_000_000))
    }

    /// The rules of a request. What the key itself says replaces what holds for its user, if it counts for no other; for a user
    /// it asserts, or the body names, both hold. The tenant's always hold.
    /// - Parameter likeness: calls that are nearly the same have the same; 0: not told.
    package func rules(of key: KeyRecord, _ identity: Identity, likeness: UInt64 = 0) -> [LimitRule] {
        let isOwn = key.user.map { identity == .user($0) } ?? (identity == .key(key.account))
        let one = LimitSubject.identity(tenant: key.tenant, identity)
        let itself = LimitSubject.identity(tenant: key.tenant, .key(key.account))
        var rules: [LimitRule] = []
        rules.reserveCapacity(8)
        let own = IdentityLimits(
            requestsPerMinute: key.requestsPerMinute, tokensPerMinute: key.tokensPerMinute, concurrency: key.concurrency)
        Self.add(own, itself, &rules)
        if let budget = Self.ownBudget(key) { rules.append(budget) }
        Self.add(isOwn ? user.without(own) : user, one, &rules)
        if let userBudget, !isOwn || key.budgetNanousd == nil { rules.append(Self.daily(userBudget, one)) }
        Self.add(tenant, .tenant(key.tenant), &rules)
        if let tenantBudget { rules.append(Self.daily(tenantBudget, .tenant(key.tenant))) }
        if let runaway, likeness != 0 {
            let subject = LikenessSubject(key: key.account, identity: identity, likeness: likeness)
            rules.append(
                LimitRule(.runaway(subject, windowMilliseconds: runaway.windowMilliseconds), itself, most: runaway.calls))
        }
        return rules
    }

    /// Budgets of a request whose user is not known any more.
    func budgets(of key: KeyRecord) -> [LimitRule] {
        let identity = key.user.map { Identity.user($0) }
        let all = rules(of: key, identity ?? .key(key.account))
        return all.filter { rule in
            guard case .budget = rule.kind else { return false }
            // Without a user of its own the key may have spent for anybody: only what it says itself is certain.
            return identity != nil || rule.subject.scope == "tenant" || key.budgetNanousd != nil
        }
    }

    private static func add(_ limits: IdentityLimits, _ subject: LimitSubject, _ rules: inout [LimitRule]) {
        if let most = limits.requestsPerMinute { rules.append(LimitRule(.requests, subject, most: most)) }
        if let most = limits.tokensPerMinute { rules.append(LimitRule(.tokens, subject, most: most)) }
        if let most = limits.concurrency { rules.append(LimitRule(.places, subject, most: most)) }
    }

    private static func ownBudget(_ key: KeyRecord) -> LimitRule? {
        guard let most = key.budgetNanousd else { return nil }
        let window = key.budgetWindowMilliseconds.map { Int64($0) } ?? day
        return LimitRule(
            .budget(windowMilliseconds: window), .identity(tenant: key.tenant, .key(key.account)), most: bounded(most))
    }

    private static func daily(_ most: Int, _ subject: LimitSubject) -> LimitRule {
        LimitRule(.budget(windowMilliseconds: day), subject, most: bounded(most))
    }

    private static func bounded(_ nanousd: Int) -> Int { min(max(0, nanousd), LimitQuestion.mostAmount) }

    private static func nanousd(_ dollars: Double) -> Int { Int((dollars * 1e9).rounded()) }
}

extension IdentityLimits {
    /// Those that `other` does not set.
    fileprivate func without(_ other: IdentityLimits) -> IdentityLimits {
        IdentityLimits(
            requestsPerMinute: other.requestsPerMinute == nil ? requestsPerMinute : nil,
            tokensPerMinute: other.tokensPerMinute == nil ? tokensPerMinute : nil,
            concurrency: other.concurrency == nil ? concurrency : nil)
    }
}
