import BulkheadConfig

/// What one user or one tenant may ask for; nil: unlimited.
package struct IdentityLimits: Sendable, Equatable {
    /// Requests per minute.
    package var requestsPerMinute: Int?
    /// Tokens per minute.
    package var tokensPerMinute: Int?
    /// Requests at once.
    package var concurrency: Int?

    /// Limits; all optional.
    package init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, concurrency: Int? = nil) {
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.concurrency = concurrency
    }

    /// What a user may ask for when the file says nothing.
    static let defaultPerUser = IdentityLimits(requestsPerMinute: 600, tokensPerMinute: 200_000, concurrency: 32)

    init(section: ConfigSection, unset: IdentityLimits) {
        requestsPerMinute = section.optionalInt("rpm", in: 1 ... 10_000_000) ?? unset.requestsPerMinute
        tokensPerMinute = section.optionalInt("tpm", in: 1 ... 1_000_000_000_000) ?? unset.tokensPerMinute
        concurrency = section.optionalInt("concurrency", in: 1 ... 1_000_000) ?? unset.concurrency
    }
}

/// The section `session`.
package struct SessionConfiguration: ServiceConfiguration {
    package static let sectionName = "session"

    /// What one user may ask for.
    package var perUser: IdentityLimits
    /// What all users of one tenant may ask for together.
    package var perTenant: IdentityLimits
    /// US dollars a day that one user may spend; nil: no budget.
    package var budgetPerUser: Double?
    /// US dollars a day that all users of one tenant may spend together; nil: no budget.
    package var budgetPerTenant: Double?
    /// Near-identical calls of one key and user within `runawayWindow` beyond which they are refused.
    package var runawayCalls: Int
    /// What `runawayCalls` looks back on.
    package var runawayWindow: Duration
    /// How long conversations are kept after their last turn.
    package var conversationRetention: Duration
    /// How long the answer to an Idempotency-Key is kept after it was given.
    package var idempotencyRetention: Duration
    /// The key that seals bodies at rest; nil: not sealed.
    package var encryptionKeyFile: String?
    /// Background jobs that run at once.
    package var jobWorkers: Int
    /// Tries of one background job.
    package var jobAttempts: Int
    /// Where durable state is kept.
    package var durable: StoresConfiguration.Durable

    package init(section: ConfigSection, suite: SuiteConfiguration) {
        let limits = section.section("limits")
        perUser = IdentityLimits(section: limits.section("per_user"), unset: .defaultPerUser)
        perTenant = IdentityLimits(section: limits.section("per_tenant"), unset: IdentityLimits())
        let budgets = section.section("budgets")
        budgetPerUser = budgets.optionalDouble("per_user_usd_per_day", in: 0 ... 9_000_000)
        budgetPerTenant = budgets.optionalDouble("per_tenant_usd_per_day", in: 0 ... 9_000_000)
        let runaway = section.section("runaway")
        runawayCalls = runaway.int("identical_calls", default: 20, in: 2 ... 1_000_000)
        runawayWindow = runaway.duration("window", default: .seconds(60), in: .seconds(1) ... .seconds(86_400))
        let retention = section.section("retention")
        let days = { (count: Int) in Duration.seconds(count * 86_400) }
        conversationRetention = retention.duration("conversations", default: days(90), in: .seconds(3600) ... days(3650))
        idempotencyRetention = retention.duration("idempotency", default: days(1), in: .seconds(60) ... days(7))
        encryptionKeyFile = section.section("encryption").optionalString("key_file")
        let jobs = section.section("jobs")
        jobWorkers = jobs.int("workers", default: 8, in: 1 ... 1024)
        jobAttempts = jobs.int("max_attempts", default: 10, in: 1 ... 100)
        durable = suite.stores.durable
    }
}
