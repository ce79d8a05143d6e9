import BulkheadCore
import BulkheadResilience
import BulkheadServiceKit
import Glibc

/// One line of `bulkhead-router models`.
package struct ModelRow: Codable, Sendable {
    package var name: String
    /// `provider/model` in the order they are tried.
    package var targets: [String]
    package var strategy: String
    package var fallbacks: [String]
}

/// One line of `bulkhead-router providers`.
package struct ProviderRow: Codable, Sendable {
    package var name: String
    package var destination: String
    package var dialect: String
    package var serve: String
}

/// What `bulkhead-router explain` asks.
package struct ExplainArguments: Codable, Sendable {
    package var model: String

    package init(model: String) { self.model = model }
}

/// Where a request for a model would go, and what would follow from each class of error.
package struct RouteExplanation: Codable, Sendable {
    /// One target.
    package struct Row: Codable, Sendable {
        package var provider: String
        package var model: String
        package var dialect: String
        package var breaker: String
        /// Milliseconds until an open breaker lets a probe through.
        package var nextProbeMilliseconds: Int?
        /// Nano-dollars per million input and output tokens; absent when the price is not known.
        package var inputPrice: Int?
        package var outputPrice: Int?
    }

    /// A class of errors and what is done.
    package struct Rule: Codable, Sendable {
        package var on: String
        package var action: String
    }

    package var model: String
    package var alias: String
    package var strategy: String
    package var targets: [Row]
    package var rules: [Rule]
    package var cache: String
}

/// What `bulkhead-router cache stats` shows.
package struct CacheStatistics: Codable, Sendable {
    package var entries: Int
    package var bytes: Int
    package var hits: Int
    package var misses: Int
    package var stored: Int
    package var evicted: Int
    package var expired: Int
}

/// What `bulkhead-router cache purge` did.
package struct PurgedCache: Codable, Sendable {
    package var purged: Int
}

/// The router's own admin verbs.
package struct RouterVerbs: Sendable {
    package let settings: @Sendable () -> RouterSettings
    package let breakers: TargetBreakers
    package let cache: ExactCache
    package let switches: TargetSwitches

    package var all: [AdminVerb] {
        [
            AdminVerb("models") { (_: NoValue) in models() },
            AdminVerb("providers") { (_: NoValue) in providers() },
            AdminVerb("explain") { (arguments: ExplainArguments) in try explain(arguments.model) },
            AdminVerb("cache.stats") { (_: NoValue) in statistics() },
            AdminVerb("cache.purge") { (_: NoValue) in PurgedCache(purged: cache.purge()) },
        ]
    }

    private func models() -> [ModelRow] {
        settings().configuration.models.map { model in
            ModelRow(
                name: model.name, targets: model.targets.map { "\($0.provider)/\($0.model.isEmpty ? "(as asked)" : $0.model)" },
                strategy: model.strategy.rawValue, fallbacks: model.fallbacks.map(\.rawValue))
        }
    }

    private func providers() -> [ProviderRow] {
        settings().configuration.providers.map {
            ProviderRow(name: $0.name, destination: $0.destination, dialect: $0.dialect.rawValue, serve: $0.serve.rawValue)
        }
    }

    private func explain(_ model: String) throws -> RouteExplanation {
        let settings = settings()
        let route = try settings.table.route(model)
        return RouteExplanation(
            model: model, alias: route.alias, strategy: route.strategy.rawValue, targets: route.targets.map(row),
            rules: RouteRules.of(route), cache: settings.cache.exact.when.rawValue)
    }

    private func row(_ target: Target) -> RouteExplanation.Row {
        let (state, probe) = breakers.look(target)
        let price = settings().catalog.price(target.model, at: time(nil))
        return RouteExplanation.Row(
            provider: target.provider, model: target.model, dialect: target.dialect.rawValue, breaker: state.rawValue,
            nextProbeMilliseconds: probe.map { max(0, Int(($0 - .now()).milliseconds)) },
            inputPrice: price.map { $0.input * 1000 }, outputPrice: price.map { $0.output * 1000 })
    }

    private func statistics() -> CacheStatistics {
        let now = cache.statistics
        return CacheStatistics(
            entries: now.entries, bytes: now.bytes, hits: now.hits, misses: now.misses, stored: now.stored, evicted: now.evicted,
            expired: now.expired)
    }
}

/// The retry policy of a route in words.
package enum RouteRules {
    package static func of(_ route: Route) -> [RouteExplanation.Rule] {
        let next = route.fallbacks.contains(.target) && route.targets.count > 1 ? "the next target" : "no other target"
        let retry = route.retry
        let again = "up to \(retry.triesPerTarget) tries of the target (\(retry.maxTries) in all), then \(next)"
        let last = route.fallbacks.contains(.answer) ? "the configured fallback answer" : "the error"
        return [
            .init(on: "408, 409, 5xx, no connection, connection reset", action: again),
            .init(on: "429 (rate limit)", action: "waits for Retry-After if at most \(seconds(retry.max)); \(again)"),
            .init(on: "429 insufficient_quota, 401, 402, 403", action: next),
            .init(on: "no first token within \(seconds(route.timeouts.firstToken))", action: "no second try; \(next)"),
            .init(on: "malformed or truncated answer before the first token", action: next),
            .init(on: "stream broken after the first token", action: "an error event; nothing else is tried"),
            .init(on: "400, 404, 413, 422, content policy", action: "the provider's error, at once"),
            .init(on: "no usable secret, credentials down", action: next),
            .init(on: "breaker open", action: "the target is skipped"),
            .init(on: "every target failed", action: last),
        ]
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = Int(duration.milliseconds)
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
