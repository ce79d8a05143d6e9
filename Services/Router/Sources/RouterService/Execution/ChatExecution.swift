import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore

/// Answers chats: cache, then targets, then the configured answer.
package struct ChatExecution: Sendable {
    package let exchange: UpstreamExchange
    package let failover: Failover
    package let cache: ExactCache
    package let metrics: RouterMetrics

    /// Writes the answer's events to `replies`. - Throws: `CallError` when there is no answer, or it broke off.
    package func run(
        _ request: RouterAPI.CompleteRequest, _ settings: RouterSettings, _ call: ServerCall,
        _ replies: TypedWriter<RouterAPI.CompleteReply>
    ) async throws {
        guard let chat = request.chat else {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "The request has no chat.")
        }
        let route = try settings.table.route(chat.model)
        let use = CacheUse(request.cache, settings.cache.exact, chat)
        let key = use.keeps || use.looks ? try? CacheKey(chat, alias: route.alias, metadata: call.metadata) : nil
        if use.looks, let key {
            if let events = cache.lookup(key, now: .now()) {
                metrics.cacheHits.add()
                return try await replies.write(.init(events: CachedAnswer.replay(events, streaming: chat.stream)))
            }
            metrics.cacheMisses.add()
        }
        let attempt = ChatAttempt(
            exchange: exchange, chat: chat, metadata: call.metadata, replies: replies, eventLoop: failover.eventLoop,
            cache: use.outcome, keeps: use.keeps && key != nil)
        if let events = try await ask(route, attempt, request, call), use.keeps, let key, CachedAnswer.isWhole(events) {
            cache.store(key, events, now: .now())
        }
    }

    /// - Returns: the events of the answer, nil when it was the configured one.
    private func ask(
        _ route: Route, _ attempt: ChatAttempt, _ request: RouterAPI.CompleteRequest, _ call: ServerCall
    ) async throws -> [ChatAPI.ChatEvent]? {
        let deadline = RequestDeadline(caller: call.deadline, total: route.timeouts.total, now: .now())
        do {
            let answer = try await failover.run(route, deadline: deadline, clientRetries: request.clientRetries) {
                await attempt.run($0)
            }
            if let usage = answer.unsentUsage {
                try await attempt.replies.write(.init(events: [.init(kind: .usage, usage: usage)]))
            }
            return answer.events
        } catch let all as AllFailed {
            guard let events = FallbackAnswer.events(route, all) else { throw all.failure.error }
            metrics.fallbackAnswers.add()
            try await attempt.replies.write(.init(events: events))
            return nil
        }
    }
}

/// What a request may do with the cache.
package struct CacheUse: Sendable, Equatable {
    package let looks: Bool
    package let keeps: Bool
    /// What is told of it when the answer comes from a provider.
    package let outcome: ChatAPI.CacheOutcome

    /// `no-store` neither keeps the answer nor takes a kept one: who says so wants this request to leave no trace in the cache,
    /// hits included.
    package init(_ policy: RouterAPI.CachePolicy, _ configuration: AnswerCacheConfiguration.Exact, _ chat: ChatAPI.ChatRequest) {
        let covers = configuration.covers(chat) && policy != .off
        looks = covers && (policy == .default || policy == .unspecified)
        keeps = covers && policy != .noStore
        outcome = covers ? .miss : .off
    }
}

/// The answer a route gives when nobody else does.
package enum FallbackAnswer {
    /// nil when the route has none, or when the failure is the caller's own.
    package static func events(_ route: Route, _ all: AllFailed) -> [ChatAPI.ChatEvent]? {
        let isCallers = all.failure.kind == .callersMistake || all.failure.kind == .cancelled || all.failure.kind == .unsupported
        guard !isCallers, route.fallbacks.contains(.answer), let text = route.fallbackAnswer else { return nil }
        let served = ChatAPI.Served(
            provider: "bulkhead", model: route.alias, attempts: all.tries, cache: .off, degraded: all.missing, created: time(nil))
        return [
            .init(kind: .start, served: served), .init(kind: .text, text: text), .init(kind: .finish, finish: .stop),
            .init(kind: .usage, usage: ChatAPI.Usage(costNanousd: 0)),
        ]
    }
}
