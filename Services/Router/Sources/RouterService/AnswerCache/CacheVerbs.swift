import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit

/// What `bulkhead-router cache stats` shows.
package struct CacheReport: Codable, Sendable {
    package var when: String
    package var hits: Int
    package var misses: Int
    /// Hits among requests that were looked up, 0 to 1; absent before the first.
    package var hitRate: Double?
    /// Of the hits: answers shared with an equal request in flight.
    package var coalesced: Int
    package var staleServed: Int
    package var savedUSD: Double
    /// Requests that wait for an equal one now.
    package var waiting: Int
    /// Redis is used: `true` or `false`; absent when none is configured.
    package var redisIsReady: Bool?
    package var stores: [StoreStatistics]
}

/// What `cache purge` asks.
package struct PurgeArguments: Codable, Sendable {
    package var tenant: String?

    package init(tenant: String?) { self.tenant = tenant }
}

/// What `bulkhead-router cache purge` did.
package struct PurgedCache: Codable, Sendable {
    package var purged: Int
}

/// What `cache explain` asks: about one request, against another one or against those whose answers are kept.
package struct CacheExplainArguments: Codable, Sendable {
    /// A chat body in OpenAI's form.
    package var request: String?
    /// The id of a request whose answer was kept.
    package var requestID: String?
    package var against: String?
    package var tenant: String?
    package var user: String?

    package init(request: String?, requestID: String?, against: String?, tenant: String?, user: String?) {
        self.request = request
        self.requestID = requestID
        self.against = against
        self.tenant = tenant
        self.user = user
    }
}

/// Which answer a request would get from the cache, and what keeps it from another one.
package struct CacheExplanation: Codable, Sendable {
    /// The other request.
    package struct Other: Codable, Sendable {
        package var key: String
        package var requestID: String?
        package var tenant: String?
        package var user: String?
        package var ageSeconds: Int?
        /// The fields that differ, by their names in chat.proto; empty: the very same request.
        package var differs: [String]
    }

    package var alias: String
    /// Absent without a tenant and a user: they are part of the key.
    package var key: String?
    /// `fresh`, `stale` or `none`; absent without a key.
    package var kept: String?
    /// Why the cache does not touch the request; absent when it does.
    package var notCovered: String?
    package var against: Other?
    /// Of those in memory: the one that differs least.
    package var nearest: Other?
}

/// The admin verbs of the answer cache.
package struct CacheVerbs: Sendable {
    package let cache: AnswerCache
    package let settings: @Sendable () -> RouterSettings

    package init(cache: AnswerCache, settings: @escaping @Sendable () -> RouterSettings) {
        self.cache = cache
        self.settings = settings
    }

    package var all: [AdminVerb] {
        [
            AdminVerb("cache.stats") { (_: NoValue) in report() },
            AdminVerb("cache.purge") { (arguments: PurgeArguments) in try await purge(arguments) },
            AdminVerb("cache.explain") { (arguments: CacheExplainArguments) in try await explain(arguments) },
        ]
    }

    private func report() -> CacheReport {
        let metrics = cache.metrics
        let (hits, misses) = (metrics.hits.value, metrics.misses.value)
        return CacheReport(
            when: settings().cache.exact.when.rawValue, hits: hits, misses: misses,
            hitRate: hits + misses == 0 ? nil : Double(hits) / Double(hits + misses), coalesced: metrics.coalesced.value,
            staleServed: metrics.stale.value, savedUSD: Double(metrics.savedNanousd.value) / 1e9,
            waiting: cache.flights.waiting, redisIsReady: cache.redis?.isReady, stores: cache.statistics)
    }

    private func purge(_ arguments: PurgeArguments) async throws -> PurgedCache {
        do throws(StoreFailure) {
            return PurgedCache(purged: try await cache.purge(tenant: arguments.tenant))
        } catch {
            throw CallError(
                .unavailable, reason: "redis_away",
                message: "The answers in this router's memory are forgotten, those in Redis are not (\(error.rawValue)): "
                    + "purge again when bulkhead-router cache stats shows Redis as ready.")
        }
    }

    private func explain(_ arguments: CacheExplainArguments) async throws -> CacheExplanation {
        let one = try subject(arguments)
        var told = CacheExplanation(alias: one.alias, key: one.key?.description, notCovered: one.notCovered)
        if let key = one.key { told.kept = await cache.state(of: key).rawValue }
        if let body = arguments.against {
            let other = try subject(body, arguments)
            told.against = CacheExplanation.Other(
                key: other.key?.description ?? "", differs: one.digests.differences(from: other.digests))
        } else if let nearest = nearest(one, arguments) {
            told.nearest = CacheExplanation.Other(
                key: nearest.key.description, requestID: nearest.requestID, tenant: nearest.partition.tenant,
                user: nearest.partition.user, ageSeconds: Int((MonotonicTime.now() - nearest.noted).milliseconds / 1000),
                differs: one.digests.differences(from: nearest.digests))
        }
        return told
    }

    /// A request that is asked about.
    private struct Subject {
        var alias: String
        var key: CacheKey?
        var requestID: String?
        var partition: CachePartition?
        var notCovered: String?
        var digests: FieldDigests
    }

    private func subject(_ arguments: CacheExplainArguments) throws -> Subject {
        if let body = arguments.request { return try subject(body, arguments) }
        guard let entry = arguments.requestID.flatMap({ cache.recent.find(requestID: $0) }) else {
            throw CallError(
                .notFound, reason: "request_not_found",
                message: "Of the last \(RecentRequests.most) requests whose answers were kept none has this id; "
                    + "give the request itself with --request.")
        }
        return Subject(
            alias: entry.alias, key: entry.key, requestID: entry.requestID, partition: entry.partition, digests: entry.digests)
    }

    private func subject(_ body: String, _ arguments: CacheExplainArguments) throws -> Subject {
        let chat: ChatAPI.ChatRequest
        do {
            chat = try RequestFile.chat(body)
        } catch let unreadable as RequestSketch.Unreadable {
            throw CallError(
                .invalidArgument, reason: "invalid_request", message: "The request cannot be read: \(unreadable.description).")
        }
        let settings = settings()
        let alias = try settings.table.route(chat.model).alias
        let canonical = CanonicalChat.of(chat)
        let partition = arguments.tenant.map { CachePartition(tenant: $0, user: arguments.user ?? "") }
        return Subject(
            alias: alias, key: try partition.map { try CacheKey(canonical: canonical, alias: alias, partition: $0) },
            partition: partition, notCovered: Self.notCovered(chat, settings.cache.exact), digests: try FieldDigests(canonical))
    }

    private static func notCovered(_ chat: ChatAPI.ChatRequest, _ configuration: AnswerCacheConfiguration.Exact) -> String? {
        if !chat.tools.isEmpty { return "it offers tools" }
        if configuration.covers(chat) { return nil }
        return configuration.when == .off ? "the cache is off" : "it has neither temperature 0 nor a seed"
    }

    private func nearest(_ one: Subject, _ arguments: CacheExplainArguments) -> RecentRequests.Entry? {
        cache.recent.nearest(to: one.digests) { entry in
            entry.requestID != one.requestID
                && (arguments.tenant ?? one.partition?.tenant ?? entry.partition.tenant) == entry.partition.tenant
                && (arguments.user ?? one.partition?.user ?? entry.partition.user) == entry.partition.user
        }
    }
}
