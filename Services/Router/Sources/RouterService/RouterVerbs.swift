import BulkheadServiceKit

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
    package let tallies: TargetTallies

    private var reports: ModelReports {
        ModelReports(settings: settings(), breakers: breakers, switches: switches, tallies: tallies)
    }

    package var all: [AdminVerb] {
        [
            AdminVerb("models") { (_: NoValue) in reports.models() },
            AdminVerb("providers") { (_: NoValue) in reports.providers() },
            AdminVerb("explain") { (asked: ExplainArguments) in
                try RouteExplainer(settings: settings(), breakers: breakers, switches: switches).explain(asked)
            },
            AdminVerb("cache.stats") { (_: NoValue) in statistics() },
            AdminVerb("cache.purge") { (_: NoValue) in PurgedCache(purged: cache.purge()) },
        ]
    }

    private func statistics() -> CacheStatistics {
        let now = cache.statistics
        return CacheStatistics(
            entries: now.entries, bytes: now.bytes, hits: now.hits, misses: now.misses, stored: now.stored, evicted: now.evicted,
            expired: now.expired)
    }
}
