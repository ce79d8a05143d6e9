import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadRedis
import BulkheadServiceKit
import Synchronization

/// The answer cache with what it needs of the process: the connection to Redis, its health, its metrics.
package struct RouterCache: Sendable {
    package let answers: AnswerCache
    private let client: RedisClient?
    private let context: ServiceContext

    /// - Throws: `StartupFailure` (78) for an address of Redis that cannot be used.
    package init(_ configuration: AnswerCacheConfiguration.Exact, _ context: ServiceContext, _ health: RouterHealth) throws {
        let returned = Returned()
        client = try Self.client(context, returned, health)
        let metrics = AnswerCacheMetrics(context.metrics)
        answers = AnswerCache(maxEntries: configuration.maxEntries, redis: client.map { RedisAnswers($0) }, metrics: metrics)
        self.context = context
        returned.cache.withLock { [answers] in $0 = answers }
    }

    /// Connects, and stays connected.
    package func start() {
        guard let client else { return }
        context.background("redis") { await client.maintain() }
    }

    /// Brings gauges up to date.
    package func collectMetrics() {
        answers.metrics.collect(
            answers.statistics, waiting: answers.flights.waiting, redisIsReady: answers.redis?.isReady)
    }

    /// Who is told that Redis is back; it exists later than the connection.
    private final class Returned: Sendable {
        let cache = Mutex<AnswerCache?>(nil)
    }

    private static func client(_ context: ServiceContext, _ returned: Returned, _ health: RouterHealth) throws -> RedisClient? {
        let observer = RedisObserver(state: { isReady, reason in
            if isReady { returned.cache.withLock { $0 }?.redisReturned() }
            let away = "redis is away (\(reason.map { "\($0)" } ?? "")): answers are kept in memory"
            health.set(.redis, isReady ? nil : away)
        })
        do throws(RedisAddress.Problem) {
            return try RedisClient.configured(
                context.suite.stores, eventLoop: context.eventLoop, blocking: { try await context.blocking($0) },
                observer: observer, logger: context.logger)
        } catch {
            throw StartupFailure(error.description, exitCode: 78)
        }
    }
}
