import BulkheadConfig
import BulkheadCore

/// In which order a route's targets are tried.
package enum RoutingStrategy: String, CaseIterable, Sendable, Codable {
    case ordered
    case weighted
    case leastLatency = "least_latency"
    case cheapest
}

/// What happens when a stream breaks after its first token.
package enum StreamBreakPolicy: String, CaseIterable, Sendable, Codable {
    case error
    case replay
    case `continue`
    case buffer
}

/// What is tried when a target fails, in order.
package enum Fallback: String, CaseIterable, Sendable, Codable {
    /// The next target.
    case target
    /// An answer whose time in the cache is over.
    case staleCache = "stale_cache"
    /// The configured `fallback_answer`.
    case answer
}

/// One target of a route.
package struct TargetConfiguration: Sendable, Equatable {
    /// A name of `router.providers`.
    package var provider: String
    /// The provider's name of the model; empty: the name the client sent (patterns only).
    package var model: String
    /// Share of the requests with strategy `weighted`.
    package var weight: Int
}

/// Time limits of a route.
package struct RouteTimeouts: Sendable, Equatable {
    package var connect: Duration = .seconds(3)
    /// From sending the request to the first token, or to the whole answer when it is not streamed.
    package var firstToken: Duration = .seconds(60)
    /// The longest silence of a stream after its first token.
    package var betweenTokens: Duration = .seconds(60)
    /// All tries and waits together.
    package var total: Duration = .seconds(600)
}

/// How often and how fast a route tries again.
package struct RetryConfiguration: Sendable, Equatable {
    /// Tries of one target, the first included.
    package var triesPerTarget: Int
    /// Tries over all targets, the first included.
    package var maxTries: Int
    /// Upper limit of the first random wait; doubles with every further one.
    package var base: Duration
    /// Upper limit of every wait, a Retry-After included.
    package var max: Duration

    /// The documented defaults, with what is given changed.
    package init(
        triesPerTarget: Int = 2, maxTries: Int = 4, base: Duration = .milliseconds(250), max: Duration = .seconds(10)
    ) {
        self.triesPerTarget = triesPerTarget
        self.maxTries = maxTries
        self.base = base
        self.max = max
    }
}

/// One entry of `router.models`.
package struct ModelConfiguration: Sendable, Equatable {
    /// What clients send as `model`; `*` stands for any characters.
    package var name: String
    package var strategy: RoutingStrategy
    /// At least one, in file order.
    package var targets: [TargetConfiguration]
    package var timeouts: RouteTimeouts
    package var retry: RetryConfiguration
    package var onStreamBreak: StreamBreakPolicy
    /// Sent to providers that insist on a limit when the client gave none.
    package var defaultMaxTokens: Int
    package var fallbacks: [Fallback]
    package var fallbackAnswer: String?

    /// The limit sent to providers that insist on one.
    package static let defaultMaxTokens = 4096

    package init(section: ConfigSection, providers: [String], builtin: Set<String>) {
        name = section.requiredString("name")
        strategy = section.choice("strategy", default: .ordered)
        let isPattern = name.contains("*")
        targets = section.list("targets").map { Self.target($0, providers: providers, isPattern: isPattern) }
        timeouts = Self.timeouts(section.section("timeouts"))
        retry = Self.retry(section.section("retry"), targets: targets.count)
        onStreamBreak = section.choice("on_stream_break", default: .error)
        defaultMaxTokens = section.int("default_max_tokens", default: Self.defaultMaxTokens, in: 1 ... 10_000_000)
        fallbackAnswer = section.optionalString("fallback_answer").flatMap { $0.isEmpty ? nil : $0 }
        fallbacks = Self.fallbacks(section, hasAnswer: fallbackAnswer != nil)
        check(section, builtin: builtin)
        RouteLint.check(section, self)
    }

    private func check(_ section: ConfigSection, builtin: Set<String>) {
        if targets.isEmpty {
            section.report(
                "targets", found: "nothing", expected: "at least one target, e.g. [{ provider: openai, model: gpt-5-mini }]")
        }
        if name.utf8.count > 128 || name.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7f }) {
            section.report("name", found: name, expected: "at most 128 bytes without spaces and control characters")
        }
        if fallbacks.contains(.answer), fallbackAnswer == nil {
            section.report("fallback_answer", found: "nothing", expected: "the text of the answer, because fallbacks has answer")
        }
        let kinds = Set(targets.filter { !$0.provider.isEmpty }.map { builtin.contains($0.provider) })
        if kinds.count > 1 {
            section.report(
                "targets", found: "the builtin embedder beside other providers",
                expected: "one kind: its vectors are of another space")
        }
    }

    private static func target(_ section: ConfigSection, providers: [String], isPattern: Bool) -> TargetConfiguration {
        let provider = section.requiredString("provider")
        section.reference("provider", provider, among: providers, what: "a provider")
        let model = isPattern ? section.string("model", default: "") : section.requiredString("model")
        return TargetConfiguration(
            provider: provider, model: model, weight: section.int("weight", default: 1, in: 1 ... 1_000_000))
    }

    private static func timeouts(_ section: ConfigSection) -> RouteTimeouts {
        let range = Duration.milliseconds(1) ... .seconds(86_400)
        let unset = RouteTimeouts()
        return RouteTimeouts(
            connect: section.duration("connect", default: unset.connect, in: range),
            firstToken: section.duration("first_token", default: unset.firstToken, in: range),
            betweenTokens: section.duration("between_tokens", default: unset.betweenTokens, in: range),
            total: section.duration("total", default: unset.total, in: range))
    }

    private static func retry(_ section: ConfigSection, targets: Int) -> RetryConfiguration {
        let unset = RetryConfiguration()
        let perTarget = section.int("tries_per_target", default: unset.triesPerTarget, in: 1 ... 20)
        let retry = RetryConfiguration(
            triesPerTarget: perTarget,
            // Unless it is written it stands in the way of nothing that is.
            maxTries: section.int("max_tries", default: min(100, max(unset.maxTries, perTarget, targets)), in: 1 ... 100),
            base: section.duration("base", default: unset.base, in: .milliseconds(1) ... .seconds(60)),
            max: section.duration("max", default: unset.max, in: .milliseconds(1) ... .seconds(3600)))
        if retry.base > retry.max, section.contains("base"), section.contains("max") {
            section.report("max", found: "less than base", expected: "at least base")
        }
        return retry
    }

    private static func fallbacks(_ section: ConfigSection, hasAnswer: Bool) -> [Fallback] {
        let unset: [Fallback] = hasAnswer ? [.target, .answer] : [.target]
        let names = Fallback.allCases.map(\.rawValue)
        var listed: [Fallback] = []
        for name in section.strings("fallbacks", default: unset.map(\.rawValue)) {
            guard let fallback = Fallback(rawValue: name) else {
                section.reference("fallbacks", name, among: names, what: "a fallback")
                continue
            }
            if listed.contains(fallback) {
                section.report(
                    "fallbacks", found: "\(name) twice", expected: "each of \(names.joined(separator: ", ")) at most once")
            }
            listed.append(fallback)
        }
        return listed
    }
}
