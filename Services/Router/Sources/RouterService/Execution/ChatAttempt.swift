import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// The tries of one chat: request, answer, events to the caller.
package final class ChatAttempt {
    package let exchange: UpstreamExchange
    package let chat: ChatAPI.ChatRequest
    package let metadata: CallMetadata
    package let relay: AnswerRelay
    package let accounting: Accounting
    package let order: TargetOrder
    package let cooldowns: CredentialCooldowns
    package let eventLoop: any EventLoop
    /// What START says of the cache.
    package let cache: ChatAPI.CacheOutcome
    /// What START says was missing, besides what a try finds missing.
    package let degraded: [String]

    package init(
        exchange: UpstreamExchange, chat: ChatAPI.ChatRequest, metadata: CallMetadata, relay: AnswerRelay,
        accounting: Accounting, order: TargetOrder, cooldowns: CredentialCooldowns, eventLoop: any EventLoop,
        cache: ChatAPI.CacheOutcome, degraded: [String]
    ) {
        self.exchange = exchange
        self.chat = chat
        self.metadata = metadata
        self.relay = relay
        self.accounting = accounting
        self.order = order
        self.cooldowns = cooldowns
        self.eventLoop = eventLoop
        self.cache = cache
        self.degraded = degraded
    }

    /// Makes one try. Never throws: every end of a try is an outcome.
    package func run(_ one: Try) async -> TryOutcome<Void> {
        let pump: EventPump
        do {
            pump = try begin(one)
        } catch {
            return Self.unsupported(error)
        }
        let outcome = await answer(pump, one)
        return relay.isContinuing ? withoutPrefill(outcome, one) : outcome
    }

    @inline(never)
    private func begin(_ one: Try) throws -> EventPump {
        let chat = relay.begin(chat, at: one.target, accounting.catalog.facts(one.target.model))
        let request = try ChatEncoding.request(chat, for: one.target, defaultMaxTokens: one.route.defaultMaxTokens)
        let watchdog = Watchdog(eventLoop: eventLoop, limit: one.route.timeouts.firstToken)
        return EventPump(attempt: self, chat: chat, request, one: one, watchdog: watchdog)
    }

    @inline(never)
    private static func unsupported(_ error: any Error) -> TryOutcome<Void> {
        .failed(TargetFailure(.unsupported, callError(error)))
    }

    /// What a try came to that went on with a begun answer.
    @inline(never)
    private func withoutPrefill(_ outcome: TryOutcome<Void>, _ one: Try) -> TryOutcome<Void> {
        guard case .failed(let failure) = outcome, failure.kind == .callersMistake else { return outcome }
        relay.refusePrefill(one.target)
        return .failed(TargetFailure(.prefillRefused, failure.error))
    }

    private func answer(_ pump: EventPump, _ one: Try) async -> TryOutcome<Void> {
        let scores = one.route.strategy == .leastLatency ? order.scores : nil
        scores?.begin(one.target)
        defer { scores?.end(one.target, firstContent: pump.firstContent, now: .now()) }
        do {
            let options = CallOptions(deadline: one.deadline.time, metadata: metadata)
            try await exchange.perform(
                pump.takeRequest(), one.target, connectTimeout: one.route.timeouts.connect, options, pump.watchdog
            ) { head, body in
                try await pump.take(head, &body)
            }
            try await pump.end()
            return .answered(())
        } catch {
            return await pump.outcome(of: error)
        }
    }

    package static func callError(_ error: any Error) -> CallError {
        (error as? CallError) ?? CallError(.internal, message: "the router failed: \(type(of: error))")
    }
}
