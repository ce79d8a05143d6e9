import BulkheadObservability
import Synchronization

/// The answer cache's instruments.
package final class AnswerCacheMetrics: Sendable {
    package let hits: Counter
    package let misses: Counter
    /// Requests that got the answer another one was waiting for.
    package let coalesced: Counter
    /// Requests that waited for another one and had to ask after all.
    package let takenOver: Counter
    /// Requests that asked because too many waited already.
    package let uncoalesced: Counter
    package let stale: Counter
    package let savedNanousd: Counter
    package let redisLookup: Timing
    private let registry: MetricsRegistry
    private let notKept = Mutex<[String: Counter]>([:])

    package init(_ registry: MetricsRegistry = MetricsRegistry(service: "router")) {
        self.registry = registry
        hits = registry.counter("router_cache_hits", help: "Requests answered from the exact cache, coalesced ones included.")
        misses = registry.counter("router_cache_misses", help: "Requests looked up in the exact cache in vain.")
        coalesced = registry.counter("router_cache_coalesced", help: "Requests that shared the answer of an equal one in flight.")
        takenOver = registry.counter(
            "router_cache_taken_over", help: "Requests that asked after an equal one they waited for failed.")
        uncoalesced = registry.counter(
            "router_cache_uncoalesced", help: "Requests that asked beside an equal one: too many waited.")
        stale = registry.counter("router_cache_stale_served", help: "Answers whose time was over, given when no target answered.")
        savedNanousd = registry.counter(
            "router_cache_saved_nanousd", help: "What answers from the cache had cost, in nano-dollars.")
        redisLookup = registry.timing("router_cache_redis_lookup", help: "Lookups Redis answered.")
    }

    /// Counts an answer that is not kept.
    package func notKept(_ reason: String) {
        notKept.withLock { counters in
            let counter =
                counters[reason]
                ?? registry.counter(
                    "router_cache_not_kept", help: "Answers that were not kept, by reason.", labels: [("reason", reason)])
            counters[reason] = counter
            return counter
        }.add()
    }

    /// Brings gauges up to date.
    package func collect(_ stores: [StoreStatistics], waiting: Int, redisIsReady: Bool?) {
        registry.gauge("router_cache_waiting", help: "Requests that wait for an equal one.").set(waiting)
        if let redisIsReady { registry.gauge("router_cache_redis_up", help: "1 while Redis is used.").set(redisIsReady ? 1 : 0) }
        for store in stores {
            for (name, help, value) in Self.gauges(store) {
                if let value { registry.gauge("router_cache_\(name)", help: help, labels: [("store", store.store)]).set(value) }
            }
            for (failure, count) in store.failures {
                registry.gauge(
                    "router_cache_failures", help: "Failures of a store since the start, by kind.",
                    labels: [("store", store.store), ("kind", failure)]
                ).set(count)
            }
        }
    }

    private static func gauges(_ store: StoreStatistics) -> [(String, String, Int?)] {
        [
            ("entries", "Answers in the store.", store.entries),
            ("bytes", "Estimated memory of the store.", store.bytes),
            ("stored", "Answers kept since the start.", store.stored),
            ("evicted", "Answers that went because of a bound, since the start.", store.evicted),
            ("expired", "Answers that went because their time was over, since the start.", store.expired),
            ("damaged", "Answers that were not what had been written, since the start.", store.damaged),
        ]
    }
}
