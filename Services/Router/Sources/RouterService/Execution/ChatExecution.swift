import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

// A task that waits keeps the frames of all functions it stands in, and thousands wait at once for providers that think. What is
// prepared for a chat is therefore made in functions that have returned by then, and held by references.

/// Answers chats: cache, then targets, then the configured answer.
package final class ChatExecution: Sendable {
    private let exchange: UpstreamExchange
    private let failover: Failover
    private let order: TargetOrder
    private let left: LeftAnswers
    private let cached: CachedChat
    private let metrics: RouterMetrics

    package init(
        exchange: UpstreamExchange, failover: Failover, order: TargetOrder, left: LeftAnswers, cached: CachedChat,
        metrics: RouterMetrics
    ) {
        self.exchange = exchange
        self.failover = failover
        self.order = order
        self.left = left
        self.cached = cached
        self.metrics = metrics
    }

    /// Writes the answer's events to `replies`. - Throws: `CallError` when there is no answer, or it broke off.
    package func run(
        _ request: RouterAPI.CompleteRequest, _ settings: RouterSettings, _ call: ServerCall,
        _ replies: TypedWriter<RouterAPI.CompleteReply>
    ) async throws {
        let question = try Self.question(request, settings, call)
        let clientRetries = request.clientRetries
        try await cached.run(question, settings.cache.exact, write: { try await replies.write($0) }) { [self] wish in
            try await ask(question, settings, clientRetries, replies, wish)
        }
    }

    @inline(never)
    private static func question(
        _ request: RouterAPI.CompleteRequest, _ settings: RouterSettings, _ call: ServerCall
    ) throws -> CachedChat.Request {
        guard let chat = request.chat else {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "The request has no chat.")
        }
        let route = try settings.table.route(chat.model)
        return CachedChat.Request(chat, request.cache, route, metadata: call.metadata, deadline: call.deadline)
    }

    /// - Returns: the events of the answer, empty when they were not kept; nil when it was not a target's.
    private func ask(
        _ question: CachedChat.Request, _ settings: RouterSettings, _ clientRetries: Int,
        _ replies: TypedWriter<RouterAPI.CompleteReply>, _ wish: CacheWish
    ) async throws -> [ChatAPI.ChatEvent]? {
        let ways = try ways(question, settings.accounting, clientRetries, replies, wish)
        let visit = left.begin(question.metadata)
        let quiet = question.chat.stream ? KeepAlive(replies, on: failover.eventLoop) : nil
        defer {
            quiet?.stop()
            end(visit, ways.relay)
        }
        guard try await ways.run(replies) else { return nil }
        return ways.relay.kept
    }

    @inline(never)
    private func end(_ visit: LeftAnswers.Visit, _ relay: AnswerRelay) {
        left.end(visit, relay.isOver ? nil : relay.spent.wasted, relay.served)
    }

    @inline(never)
    private func ways(
        _ question: CachedChat.Request, _ accounting: Accounting, _ clientRetries: Int,
        _ replies: TypedWriter<RouterAPI.CompleteReply>, _ wish: CacheWish
    ) throws -> AnswerWays {
        let (chat, route) = (question.chat, question.route)
        let isWhole = !chat.stream || route.onStreamBreak == .buffer
        let relay = AnswerRelay(isWhole ? .whole : .live, route.onStreamBreak, keeps: wish.keeps) {
            try await replies.write(RouterAPI.CompleteReply(events: $0))
        }
        let attempt = ChatAttempt(
            exchange: exchange, chat: chat, metadata: question.metadata, relay: relay, accounting: accounting,
            order: order, cooldowns: failover.cooldowns, eventLoop: failover.eventLoop, cache: wish.outcome,
            degraded: wish.degraded)
        let plan = Failover.Plan(
            route, deadline: RequestDeadline(caller: question.deadline, total: route.timeouts.total, now: .now()),
            clientRetries: clientRetries, catalog: accounting.catalog, requestID: question.metadata.requestID)
        let (cache, key, isStreaming) = (cached.cache, wish.key, chat.stream)
        let stale: AnswerWays.Stale = {
            guard let key else { return nil }
            return await cache.lookupStale(key, streaming: isStreaming)
        }
        return AnswerWays(
            targets: try order.targets(route, for: chat, accounting.catalog), plan: plan, failover: failover, metrics: metrics,
            attempt: attempt, stale: stale)
    }
}
