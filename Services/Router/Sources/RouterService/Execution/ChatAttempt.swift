import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// A whole answer that went to the caller, START to USAGE.
package struct ServedAnswer: Sendable {
    /// Empty when the answer was not kept.
    package let events: [ChatAPI.ChatEvent]
    /// The provider went away between the end of the answer and its usage: whoever runs the try sends this.
    package let unsentUsage: ChatAPI.Usage?
}

/// One try of a chat at one target: request, answer, events to the caller.
package struct ChatAttempt: Sendable {
    package let exchange: UpstreamExchange
    package let chat: ChatAPI.ChatRequest
    package let metadata: CallMetadata
    package let replies: TypedWriter<RouterAPI.CompleteReply>
    package let eventLoop: any EventLoop
    /// What START says of the cache.
    package let cache: ChatAPI.CacheOutcome
    /// The answer is wanted for the cache.
    package let keeps: Bool

    /// The largest whole answer and the largest error body that are read.
    private static let maxAnswer = 32 << 20
    private static let maxError = 64 << 10

    /// Never throws: every end of a try is an outcome.
    package func run(_ one: Try) async -> TryOutcome<ServedAnswer> {
        let request: UpstreamRequest
        do {
            request = try ChatEncoding.request(chat, for: one.target, defaultMaxTokens: one.route.defaultMaxTokens)
        } catch {
            return .failed(TargetFailure(.unsupported, Self.callError(error)))
        }
        let watchdog = Watchdog(eventLoop: eventLoop, limit: one.route.timeouts.firstToken)
        return await watchdog.guarding { await answer(request, one, watchdog) }
    }

    private func answer(_ request: UpstreamRequest, _ one: Try, _ watchdog: Watchdog) async -> TryOutcome<ServedAnswer> {
        var pump = EventPump(attempt: self, one: one, watchdog: watchdog)
        let options = CallOptions(deadline: one.deadline.time, metadata: metadata)
        do {
            try await exchange.perform(request, one.target, connectTimeout: one.route.timeouts.connect, options) { head, body in
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
            return try await pump.end()
        } catch {
            return pump.outcome(of: error)
        }
    }

    private static func refusal(_ head: ResponseHead, _ body: inout ResponseBody, _ target: Target) async throws -> TargetFailure
    {
        let bytes = try await body.whole(limit: maxError) ?? ByteBuffer()
        return ProviderError(status: head.status, headers: head.headers, body: bytes).failure(target)
    }

    package static func callError(_ error: any Error) -> CallError {
        (error as? CallError) ?? CallError(.internal, message: "the router failed: \(type(of: error))")
    }
}
