/// One model of one provider: what a try is made at.
///
/// A class, as every try and its waiting tasks hold several of them.
package final class Target: Sendable, Equatable {
    /// The provider's name in the configuration.
    package let provider: String
    /// The destination of the credentials service; empty for the builtin embedder.
    package let destination: String
    package let dialect: ProviderDialect
    /// The model as the provider names it.
    package let model: String
    package let weight: Int
    /// `provider/model`, as operators name it.
    package let label: String

    package init(provider: String, destination: String, dialect: ProviderDialect, model: String, weight: Int = 1) {
        self.provider = provider
        self.destination = destination
        self.dialect = dialect
        self.model = model
        self.weight = weight
        label = "\(provider)/\(model)"
    }

    package static func == (one: Target, other: Target) -> Bool {
        one === other
            || one.model == other.model && one.provider == other.provider && one.destination == other.destination
                && one.dialect == other.dialect && one.weight == other.weight
    }
}

/// Where requests for a model name go, and how. Copies share what does not change.
package struct Route: Sendable, Equatable {
    private final class Rules: Sendable {
        let alias: String
        let strategy: RoutingStrategy
        let timeouts: RouteTimeouts
        let retry: RetryConfiguration
        let onStreamBreak: StreamBreakPolicy
        let defaultMaxTokens: Int
        let fallbacks: [Fallback]
        let fallbackAnswer: String?

        init(
            alias: String, strategy: RoutingStrategy, timeouts: RouteTimeouts, retry: RetryConfiguration,
            onStreamBreak: StreamBreakPolicy, defaultMaxTokens: Int, fallbacks: [Fallback], fallbackAnswer: String?
        ) {
            self.alias = alias
            self.strategy = strategy
            self.timeouts = timeouts
            self.retry = retry
            self.onStreamBreak = onStreamBreak
            self.defaultMaxTokens = defaultMaxTokens
            self.fallbacks = fallbacks
            self.fallbackAnswer = fallbackAnswer
        }
    }

    private let rules: Rules
    /// At least one, in the order of the configuration.
    package var targets: [Target]
    /// The configured name or pattern; the model's own name when a provider serves all of its names.
    package var alias: String { rules.alias }
    package var strategy: RoutingStrategy { rules.strategy }
    package var timeouts: RouteTimeouts { rules.timeouts }
    package var retry: RetryConfiguration { rules.retry }
    package var onStreamBreak: StreamBreakPolicy { rules.onStreamBreak }
    package var defaultMaxTokens: Int { rules.defaultMaxTokens }
    package var fallbacks: [Fallback] { rules.fallbacks }
    package var fallbackAnswer: String? { rules.fallbackAnswer }

    package init(
        alias: String, strategy: RoutingStrategy = .ordered, targets: [Target], timeouts: RouteTimeouts = RouteTimeouts(),
        retry: RetryConfiguration = RetryConfiguration(), onStreamBreak: StreamBreakPolicy = .error,
        defaultMaxTokens: Int = ModelConfiguration.defaultMaxTokens, fallbacks: [Fallback] = [.target],
        fallbackAnswer: String? = nil
    ) {
        rules = Rules(
            alias: alias, strategy: strategy, timeouts: timeouts, retry: retry, onStreamBreak: onStreamBreak,
            defaultMaxTokens: defaultMaxTokens, fallbacks: fallbacks, fallbackAnswer: fallbackAnswer)
        self.targets = targets
    }

    package static func == (one: Route, other: Route) -> Bool {
        one.alias == other.alias && one.strategy == other.strategy && one.targets == other.targets
            && one.timeouts == other.timeouts && one.retry == other.retry && one.onStreamBreak == other.onStreamBreak
            && one.defaultMaxTokens == other.defaultMaxTokens && one.fallbacks == other.fallbacks
            && one.fallbackAnswer == other.fallbackAnswer
    }
}
