/// One model of one provider: what a try is made at.
package struct Target: Sendable, Equatable {
    /// The provider's name in the configuration.
    package var provider: String
    /// The destination of the credentials service; empty for the builtin embedder.
    package var destination: String
    package var dialect: ProviderDialect
    /// The model as the provider names it.
    package var model: String
    package var weight: Int

    package init(provider: String, destination: String, dialect: ProviderDialect, model: String, weight: Int = 1) {
        self.provider = provider
        self.destination = destination
        self.dialect = dialect
        self.model = model
        self.weight = weight
    }

    /// `provider/model`, as operators name it.
    package var label: String { "\(provider)/\(model)" }
}

/// Where requests for a model name go, and how.
package struct Route: Sendable, Equatable {
    /// The configured name or pattern; the model's own name when a provider serves all of its names.
    package var alias: String
    package var strategy: RoutingStrategy
    /// At least one, in the order of the configuration.
    package var targets: [Target]
    package var timeouts: RouteTimeouts
    package var retry: RetryConfiguration
    package var onStreamBreak: StreamBreakPolicy
    package var defaultMaxTokens: Int
    package var fallbacks: [Fallback]
    package var fallbackAnswer: String?

    package init(
        alias: String, strategy: RoutingStrategy = .ordered, targets: [Target], timeouts: RouteTimeouts = RouteTimeouts(),
        retry: RetryConfiguration = RetryConfiguration(), onStreamBreak: StreamBreakPolicy = .error,
        defaultMaxTokens: Int = ModelConfiguration.defaultMaxTokens, fallbacks: [Fallback] = [.target],
        fallbackAnswer: String? = nil
    ) {
        self.alias = alias
        self.strategy = strategy
        self.targets = targets
        self.timeouts = timeouts
        self.retry = retry
        self.onStreamBreak = onStreamBreak
        self.defaultMaxTokens = defaultMaxTokens
        self.fallbacks = fallbacks
        self.fallbackAnswer = fallbackAnswer
    }
}
