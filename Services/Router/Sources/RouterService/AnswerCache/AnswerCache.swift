import BulkheadAPI
import BulkheadCore
import Synchronization

/// The router's kept answers: in Redis where one is configured and well, else in this process's memory.
package final class AnswerCache: Sendable {
    /// What `Served.degraded` says of a Redis that is away.
    package static let redisName = "redis"

    /// What a lookup found.
    package struct Found: Sendable {
        /// Of the very same request, its time not over.
        package var events: [ChatAPI.ChatEvent]?
        /// `redis`, when memory had to do.
        package var degraded: [String] = []
    }

    package let memory: MemoryAnswers
    package let redis: RedisAnswers?
    package let flights = SingleFlight()
    package let recent = RecentRequests()
    package let metrics: AnswerCacheMetrics
    private let rules: [KeepingRule]
    private let random: @Sendable () -> Double

    /// - Parameters:
    ///   - rules: all of them must have nothing against keeping an answer.
    ///   - random: from 0 to 1; spreads the times of answers.
    package init(
        maxEntries: Int, redis: RedisAnswers? = nil, rules: [KeepingRule] = KeepingRule.own, metrics: AnswerCacheMetrics,
        random: @escaping @Sendable () -> Double = { .random(in: 0 ... 1) }
    ) {
        memory = MemoryAnswers(maxEntries: maxEntries)
        self.redis = redis
        self.rules = rules
        self.metrics = metrics
        self.random = random
    }

    /// An answer to the very same request. Takes 50 ms at most.
    package func lookup(_ key: CacheKey, now: MonotonicTime = .now()) async -> Found {
        let (answer, degraded) = await find(key, now)
        return Found(events: answer.flatMap { $0.isFresh ? $0.events : nil }, degraded: degraded)
    }

    /// An answer whose time may be over, for when no target answers; to be marked as such by whoever gives it.
    /// - Returns: its events as a replay, START saying `stale`; nil when there is none.
    package func lookupStale(_ key: CacheKey, streaming: Bool, now: MonotonicTime = .now()) async -> [ChatAPI.ChatEvent]? {
        let (answer, degraded) = await find(key, now)
        guard let answer else { return nil }
        metrics.stale.add()
        noteSaving(answer.events)
        return CachedAnswer.replay(answer.events, as: .stale, streaming: streaming, degraded: degraded)
    }

    /// Whether there is an answer of a key, for people.
    package enum KeptState: String, Sendable {
        case fresh, stale, none
    }

    /// Whether there is an answer.
    package func state(of key: CacheKey) async -> KeptState {
        guard let answer = await find(key, .now()).0 else { return .none }
        return answer.isFresh ? .fresh : .stale
    }

    /// Figures of every store there is.
    package var statistics: [StoreStatistics] { [memory.statistics] + (redis.map { [$0.statistics] } ?? []) }

    /// Why an answer is not kept, in a word; nil when it may be.
    package func objection(_ chat: ChatAPI.ChatRequest, _ events: [ChatAPI.ChatEvent]) -> String? {
        for rule in rules {
            if let word = rule.objection(chat, events) { return word }
        }
        return nil
    }

    /// Keeps an answer no rule objects to. Nobody waits for it.
    package func keep(
        _ key: CacheKey, _ events: [ChatAPI.ChatEvent], ttl: Duration, isForStale: Bool, now: MonotonicTime = .now()
    ) {
        let time = KeepingTime(ttl: ttl, isForStale: isForStale, random: random())
        if let redis, redis.isReady { redis.keep(key, events, time, now: now) } else { memory.keep(key, events, time, now: now) }
    }

    /// Forgets the answers of a tenant, or all. - Throws: `StoreFailure` when those in Redis could not be reached.
    package func purge(tenant: String?) async throws(StoreFailure) -> Int {
        let digest = tenant.map { TenantDigest($0) }
        recent.forget(tenant: tenant)
        let local = memory.purge(digest)
        return local + (try await redis?.purge(digest) ?? 0)
    }

    /// Redis is back: what memory kept meanwhile may be older than what others put there, or purged there.
    package func redisReturned() { _ = memory.purge(nil) }

    /// Counts what an answer from the cache did not cost.
    package func noteSaving(_ events: [ChatAPI.ChatEvent]) {
        metrics.savedNanousd.add(max(0, events.last?.usage?.costNanousd ?? 0))
    }

    private func find(_ key: CacheKey, _ now: MonotonicTime) async -> (KeptAnswer?, degraded: [String]) {
        guard let redis else { return (memory.find(key, now: now), []) }
        let started = MonotonicTime.now()
        do throws(StoreFailure) {
            let answer = try await redis.find(key, now: now)
            metrics.redisLookup.record(microseconds: (MonotonicTime.now() - started).nanosecondsClamped / 1000)
            return (answer, [])
        } catch {
            return (memory.find(key, now: now), [Self.redisName])
        }
    }
}
