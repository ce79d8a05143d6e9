import BulkheadAPI
import BulkheadCore
import Glibc
import NIOCore

/// Takes a provider's answer apart and gives its events to the relay, in batches as they arrive.
///
/// FINISH proves that the answer is complete; what goes wrong afterwards no longer matters. USAGE follows as soon as the provider
/// tells it, or when it is clear that it will not.
///
/// Confined to the task of its call.
package final class EventPump {
    private let attempt: ChatAttempt
    private let chat: ChatAPI.ChatRequest
    private let one: Try
    package let watchdog: Watchdog
    private var request: UpstreamRequest?
    private var relay: AnswerRelay { attempt.relay }
    private var decoder: AnswerDecoder
    /// What this try has seen, shown to the caller or not.
    private var seen = AnswerText()
    private var hasBegun = false
    /// From the beginning of the try to its first content.
    package private(set) var firstContent: Duration?
    private let began = MonotonicTime.now()

    /// How long a complete answer waits for usage, or for the end of the body that lets the connection be used again.
    private static let afterglow = Duration.milliseconds(500)

    /// Bytes of a stream after which its events are passed on, whatever else has come.
    private static let mostAtOnce = 64 << 10

    /// The largest whole answer and the largest error body that are read.
    private static let maxAnswer = 32 << 20
    private static let maxError = 64 << 10

    /// - Parameter chat: the request as it is sent: `request`.
    package init(
        attempt: ChatAttempt, chat: ChatAPI.ChatRequest, _ request: UpstreamRequest, one: Try, watchdog: Watchdog
    ) {
        self.request = request
        self.attempt = attempt
        self.chat = chat
        self.one = one
        self.watchdog = watchdog
        decoder = AnswerDecoder(one.target.dialect, choices: chat.choices ?? 1)
    }

    /// What is to be sent; once: it is not kept while the answer comes.
    package func takeRequest() -> UpstreamRequest {
        guard let request = request.take() else { preconditionFailure("bug: the request of a try was sent twice") }
        return request
    }

    /// Reads an answer. - Throws: why it is not complete.
    package func take(_ head: ResponseHead, _ body: inout ResponseBody) async throws {
        guard head.isSuccess else { throw try await refusal(head, &body) }
        attempt.cooldowns.accepted(one.target.destination)
        if head.isEventStream { return try await stream(&body) }
        try await document(&body)
    }

    /// Reads a stream to its end.
    @inline(never)
    private func stream(_ body: inout ResponseBody) async throws {
        while let piece = try await body.next() {
            var events: [ChatAPI.ChatEvent] = []
            if let fault = decode(piece, &body, into: &events) {
                // What came before the fault is still the caller's.
                try await send(events)
                throw fault
            }
            try await send(events)
            if decoder.isOver, decoder.isComplete { try await complete() }
        }
    }

    /// Takes `piece` and what has come meanwhile: together it is one message to the caller.
    /// - Returns: why it could not be understood.
    @inline(never)
    private func decode(_ piece: ByteBuffer, _ body: inout ResponseBody, into events: inout [ChatAPI.ChatEvent]) -> (any Error)? {
        var piece = piece
        var bytes = 0
        do {
            while true {
                bytes += piece.readableBytes
                try decoder.feed(piece, into: &events)
                noteLife(piece)
                guard bytes < Self.mostAtOnce, !decoder.isOver, let next = try body.nextIfReady() else { return nil }
                piece = next
            }
        } catch {
            return error
        }
    }

    /// Takes an answer that is one document.
    @inline(never)
    private func document(_ body: inout ResponseBody) async throws {
        guard let whole = try await body.whole(limit: Self.maxAnswer) else {
            throw TargetFailure.broken(one.target, "sent an answer larger than \(Self.maxAnswer >> 20) MiB")
        }
        try await send(try decoder.takeWhole(whole))
        try await complete()
    }

    @inline(never)
    private func refusal(_ head: ResponseHead, _ body: inout ResponseBody) async throws -> TargetFailure {
        let bytes = try await body.beginning(limit: Self.maxError)
        return ProviderError(status: head.status, headers: head.headers, body: bytes).failure(one.target)
    }

    /// The body has ended.
    @inline(never)
    package func end() async throws {
        guard decoder.isComplete else { throw TargetFailure.broken(one.target, "ended its answer before the end") }
        try await complete()
    }

    /// What the try came to when it ended with an error.
    @inline(never)
    package func outcome(of error: any Error) async -> TryOutcome<Void> {
        if let callersError = relay.callersError { return leave(callersError) }
        // Whole already: what happened to the connection afterwards does not matter.
        if decoder.isComplete, !(error is Diverged), !(error is TargetFailure), !Task.isCancelled {
            do {
                try await complete()
                return .answered(())
            } catch {
                return leave(ChatAttempt.callError(error))
            }
        }
        let failure = failure(of: error)
        if failure.kind == .cancelled { return leave(failure.error) }
        if seen.bytes > 0 { relay.spend(usage) }
        if error is Diverged { return .brokenOff(failure.error, cause: failure) }
        guard relay.isShown else { return .failed(failure) }
        let broken = TargetFailure.brokenStream(one.target, failure.error.message)
        guard relay.canGoOn else { return .brokenOff(broken, cause: failure) }
        return .failed(failure)
    }

    /// Nobody waits for the answer any more; what was seen of it has its price all the same.
    private func leave(_ error: CallError) -> TryOutcome<Void> {
        if seen.bytes > 0 || decoder.meta.usage != nil { relay.spend(usage) }
        return .brokenOff(error, cause: TargetFailure(.cancelled, error))
    }

    private func failure(of error: any Error) -> TargetFailure {
        if watchdog.hasExpired { return attempt.exchange.silence(one, after: watchdog.limit) }
        switch error {
        case let failure as TargetFailure: return failure
        case DecodeFault.provider(let provider): return provider.failure(one.target)
        case DecodeFault.malformed(let what): return .broken(one.target, what)
        case is Diverged: return TargetFailure(.broken, TargetFailure.diverged(one.target), outcome: .success)
        case let error as CallError: return .exchange(error, one)
        case is CancellationError: return TargetFailure(.cancelled, CallError(.cancelled, message: "the caller left"))
        default: return .broken(one.target, "could not be understood")
        }
    }

    /// Every byte of a stream that has begun is a sign of life; before that, comments are (pings are events).
    private func noteLife(_ piece: ByteBuffer) {
        if hasBegun || piece.readableBytesView.first == UInt8(ascii: ":") { watchdog.touch() }
    }

    @inline(never)
    private func send(_ events: [ChatAPI.ChatEvent]) async throws {
        guard !events.isEmpty else { return }
        note(events)
        guard try await relay.deliver(events, one.target, watchdog, usage: decoder.meta.usage, start: served) else {
            return watchdog.touch()
        }
        noteContent()
    }

    @inline(never)
    private func note(_ events: [ChatAPI.ChatEvent]) {
        for event in events { seen.take(event) }
        attempt.order.affinity.note(events, by: one.target.provider)
    }

    @inline(never)
    private func noteContent() {
        if !hasBegun {
            hasBegun = true
            firstContent = .now() - began
        }
        let limit = one.route.timeouts.betweenTokens
        watchdog.touch(limit: decoder.isComplete ? min(Self.afterglow, limit) : limit)
    }

    @inline(never)
    private func complete() async throws {
        // What it cost is reckoned once: an unknown price is counted whenever it is.
        guard !relay.isOver else { return }
        try await relay.complete(usage, last: served(), watchdog)
    }

    /// Of this try alone.
    private var usage: ChatAPI.Usage {
        attempt.accounting.usage(
            reported: decoder.meta.usage, for: chat, answer: seen, target: one.target,
            tier: decoder.meta.serviceTier)
    }

    @inline(never)
    private func served() -> ChatAPI.Served {
        let created = decoder.meta.created
        return .init(
            provider: one.target.provider, model: one.target.model, attempts: one.number, cache: attempt.cache,
            degraded: one.degraded + attempt.degraded, responseID: decoder.meta.id, created: created == 0 ? time(nil) : created,
            dialect: one.target.dialect.canonical, systemFingerprint: decoder.meta.systemFingerprint,
            serviceTier: decoder.meta.serviceTier)
    }
}
