import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// The tries of one chat: request, answer, events to the caller.
package struct ChatAttempt {
    package let exchange: UpstreamExchange
    package let chat: ChatAPI.ChatRequest
    package let metadata: CallMetadata
    package let relay: AnswerRelay
    package let accounting: Accounting
    package let order: TargetOrder
    package let eventLoop: any EventLoop
    /// What START says of the cache.
    package let cache: ChatAPI.CacheOutcome
    /// What START says was missing, besides what a try finds missing.
    package let degraded: [String]

    /// The largest whole answer and the largest error body that are read.
    private static let maxAnswer = 32 << 20
    private static let maxError = 64 << 10

    /// Makes one try. Never throws: every end of a try is an outcome.
    package func run(_ one: Try) async -> TryOutcome<Void> {
        let chat = relay.begin(chat, at: one.target, accounting.catalog.facts(one.target.model))
        let request: UpstreamRequest
        do {
            request = try ChatEncoding.request(chat, for: one.target, defaultMaxTokens: one.route.defaultMaxTokens)
        } catch {
            return .failed(TargetFailure(.unsupported, Self.callError(error)))
        }
        let outcome = await answer(request, chat, one)
        guard relay.isContinuing, case .failed(let failure) = outcome, failure.kind == .callersMistake else { return outcome }
        relay.refusePrefill(one.target)
        return .failed(TargetFailure(.prefillRefused, failure.error))
    }

    private func answer(_ request: UpstreamRequest, _ chat: ChatAPI.ChatRequest, _ one: Try) async -> TryOutcome<Void> {
        let watchdog = Watchdog(eventLoop: eventLoop, limit: one.route.timeouts.firstToken)
        var pump = EventPump(attempt: self, chat: chat, one: one, watchdog: watchdog)
        let options = CallOptions(deadline: one.deadline.time, metadata: metadata)
        let scores = one.route.strategy == .leastLatency ? order.scores : nil
        scores?.begin(one.target)
        defer { scores?.end(one.target, firstContent: pump.firstContent, now: .now()) }
        do {
            try await exchange.perform(request, one.target, connectTimeout: one.route.timeouts.connect, options, watchdog) {
                head, body in
                guard head.isSuccess else { throw try await Self.refusal(head, &body, one.target) }
                if head.isEventStream {
                    try await pump.stream(&body)
                } else {
                    guard let whole = try await body.whole(limit: Self.maxAnswer) else {
                        throw TargetFailure.broken(one.target, "sent an answer larger than \(Self.maxAnswer >> 20) MiB")
                    }
                    try await pump.whole(whole)
                }
            }
            try await pump.end()
            return .answered(())
        } catch {
            return await pump.outcome(of: error)
        }
    }

    private static func refusal(_ head: ResponseHead, _ body: inout ResponseBody, _ target: Target) async throws -> TargetFailure
    {
        let bytes = try await body.beginning(limit: maxError)
        return ProviderError(status: head.status, headers: head.headers, body: bytes).failure(target)
    }

    package static func callError(_ error: any Error) -> CallError {
        (error as? CallError) ?? CallError(.internal, message: "the router failed: \(type(of: error))")
    }
}
