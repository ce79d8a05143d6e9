import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// Answers chats: cache, then targets, then the configured answer.
package struct ChatExecution: Sendable {
    package let exchange: UpstreamExchange
    package let failover: Failover
    package let order: TargetOrder
    package let left: LeftAnswers
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
        let keeps = use.keeps && key != nil
        if let events = try await ask(route, settings.accounting, request, chat, call, replies, cache: use.outcome, keeps: keeps),
            keeps, let key,
            CachedAnswer.isWhole(events)
        {
            cache.store(key, events, now: .now())
        }
    }

    /// - Returns: the events of the answer, empty when they were not kept; nil when it was not a target's.
    private func ask(
        _ route: Route, _ accounting: Accounting, _ request: RouterAPI.CompleteRequest, _ chat: ChatAPI.ChatRequest,
        _ call: ServerCall,
        _ replies: TypedWriter<RouterAPI.CompleteReply>, cache: ChatAPI.CacheOutcome, keeps: Bool
    ) async throws -> [ChatAPI.ChatEvent]? {
        let isWhole = !chat.stream || route.onStreamBreak == .buffer
        let relay = AnswerRelay(isWhole ? .whole : .live, route.onStreamBreak, keeps: keeps) {
            try await replies.write(RouterAPI.CompleteReply(events: $0))
        }
        let attempt = ChatAttempt(
            exchange: exchange, chat: chat, metadata: call.metadata, relay: relay, accounting: accounting,
            order: order, eventLoop: failover.eventLoop, cache: cache)
        let plan = Failover.Plan(
            route, deadline: RequestDeadline(caller: call.deadline, total: route.timeouts.total, now: .now()),
            clientRetries: request.clientRetries, catalog: accounting.catalog)
        let visit = left.begin(call.metadata)
        let quiet = chat.stream ? KeepAlive(replies, on: failover.eventLoop) : nil
        defer {
            quiet?.stop()
            left.end(visit, relay.isOver ? nil : relay.spent.wasted, relay.served)
        }
        let ways = AnswerWays(route: route, plan: plan, failover: failover, metrics: metrics, attempt: attempt)
        guard try await ways.run(try order.targets(route, for: chat, accounting.catalog), replies) else { return nil }
        return relay.kept
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
