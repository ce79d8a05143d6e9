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
    package let cached: CachedChat
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
        let question = CachedChat.Request(chat, request.cache, route, metadata: call.metadata, deadline: call.deadline)
        try await cached.run(question, settings.cache.exact, write: { try await replies.write($0) }) { wish in
            try await ask(route, settings.accounting, request, chat, call, replies, wish)
        }
    }

    /// - Returns: the events of the answer, empty when they were not kept; nil when it was not a target's.
    private func ask(
        _ route: Route, _ accounting: Accounting, _ request: RouterAPI.CompleteRequest, _ chat: ChatAPI.ChatRequest,
        _ call: ServerCall,
        _ replies: TypedWriter<RouterAPI.CompleteReply>, _ wish: CacheWish
    ) async throws -> [ChatAPI.ChatEvent]? {
        let isWhole = !chat.stream || route.onStreamBreak == .buffer
        let relay = AnswerRelay(isWhole ? .whole : .live, route.onStreamBreak, keeps: wish.keeps) {
            try await replies.write(RouterAPI.CompleteReply(events: $0))
        }
        let attempt = ChatAttempt(
            exchange: exchange, chat: chat, metadata: call.metadata, relay: relay, accounting: accounting,
            order: order, eventLoop: failover.eventLoop, cache: wish.outcome, degraded: wish.degraded)
        let plan = Failover.Plan(
            route, deadline: RequestDeadline(caller: call.deadline, total: route.timeouts.total, now: .now()),
            clientRetries: request.clientRetries, catalog: accounting.catalog,
            requestID: call.metadata.requestID)
        let visit = left.begin(call.metadata)
        let quiet = chat.stream ? KeepAlive(replies, on: failover.eventLoop) : nil
        defer {
            quiet?.stop()
            left.end(visit, relay.isOver ? nil : relay.spent.wasted, relay.served)
        }
        let stale: AnswerWays.Stale = {
            guard let key = wish.key else { return nil }
            return await cached.cache.lookupStale(key, streaming: chat.stream)
        }
        let ways = AnswerWays(
            route: route, plan: plan, failover: failover, metrics: metrics, attempt: attempt, stale: stale)
        guard try await ways.run(try order.targets(route, for: chat, accounting.catalog), replies) else { return nil }
        return relay.kept
    }
}
