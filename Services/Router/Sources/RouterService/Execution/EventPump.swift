import BulkheadAPI
import BulkheadCore
import Glibc
import NIOCore

// States of one try: waiting (nothing reached the caller; every failure leaves the way to other targets open) → started (START
// and content are with the caller; a failure ends the answer) → complete (FINISH is with the caller; what goes wrong now no
// longer matters). USAGE follows completion as soon as the provider tells it, or when it is clear that it will not.

/// Takes a provider's answer apart and sends its events on, in batches as they arrive.
package struct EventPump {
    private let attempt: ChatAttempt
    private let one: Try
    private let watchdog: Watchdog
    private var decoder: AnswerDecoder
    private var collector: AnswerCollector
    private var hasStarted = false
    private var hasUsage = false
    /// The caller could not be written to: nobody is left to answer.
    private var callersError: CallError?

    /// How long a complete answer waits for usage, or for the end of the body that lets the connection be used again.
    private static let afterglow = Duration.milliseconds(500)

    package init(attempt: ChatAttempt, one: Try, watchdog: Watchdog) {
        self.attempt = attempt
        self.one = one
        self.watchdog = watchdog
        decoder = AnswerDecoder(one.target.dialect, choices: attempt.chat.choices ?? 1)
        collector = AnswerCollector(keeps: attempt.keeps)
    }

    /// Reads a stream to its end. - Throws: why the answer is not complete.
    package mutating func stream(_ body: inout ResponseBody) async throws {
        while let piece = try await body.next() {
            var events: [ChatAPI.ChatEvent] = []
            do {
                try decoder.feed(piece, into: &events)
            } catch {
                // What came before the fault is still the caller's.
                try await send(events)
                throw error
            }
            noteLife(piece)
            if decoder.isOver { events += usageEvents(after: events) }
            try await send(events)
        }
    }

    /// Takes an answer that is one document.
    package mutating func whole(_ body: ByteBuffer) async throws {
        let events = try decoder.takeWhole(body)
        try await send(events + usageEvents(after: events))
    }

    /// The body has ended.
    package mutating func end() async throws -> TryOutcome<ServedAnswer> {
        guard decoder.isComplete else { throw TargetFailure.broken(one.target, "ended its answer before the end") }
        try await send(usageEvents(after: []))
        return .answered(ServedAnswer(events: collector.isTooLarge ? [] : collector.events, unsentUsage: nil))
    }

    /// What the try came to when it ended with an error.
    package mutating func outcome(of error: any Error) -> TryOutcome<ServedAnswer> {
        if let callersError { return .brokenOff(callersError, .neutral) }
        let failure = failure(of: error)
        guard hasStarted else { return .failed(failure) }
        if failure.kind == .cancelled { return .brokenOff(failure.error, .neutral) }
        // Whole already: what happened to the connection afterwards does not matter.
        if decoder.isComplete {
            return .answered(ServedAnswer(events: [], unsentUsage: usageEvents(after: []).first?.usage))
        }
        return .brokenOff(TargetFailure.brokenStream(one.target, failure.error.message), failure.outcome)
    }

    private func failure(of error: any Error) -> TargetFailure {
        if watchdog.hasExpired { return attempt.exchange.silence(one, after: watchdog.limit) }
        switch error {
        case let failure as TargetFailure: return failure
        case DecodeFault.provider(let provider): return provider.failure(one.target)
        case DecodeFault.malformed(let what): return .broken(one.target, what)
        case let error as CallError: return .exchange(error, one)
        case is CancellationError: return TargetFailure(.cancelled, CallError(.cancelled, message: "the caller left"))
        default: return .broken(one.target, "could not be understood")
        }
    }

    /// Every byte of a stream that has begun is a sign of life; before that, comments are (pings are events).
    private func noteLife(_ piece: ByteBuffer) {
        if hasStarted || piece.readableBytesView.first == UInt8(ascii: ":") { watchdog.touch() }
    }

    // MARK: to the caller

    private mutating func send(_ events: [ChatAPI.ChatEvent]) async throws {
        guard !events.isEmpty else { return }
        // Pings open nothing: as long as nothing is shown, another target can take over.
        guard hasStarted || events.contains(where: { $0.kind != .keepalive }) else { return watchdog.touch() }
        var batch = events
        if !hasStarted {
            batch = [start()] + events.filter { $0.kind != .keepalive }
            hasStarted = true
        }
        collector.take(batch)
        try await write(batch)
        let limit = one.route.timeouts.betweenTokens
        watchdog.touch(limit: decoder.isComplete ? min(Self.afterglow, limit) : limit)
    }

    private mutating func write(_ events: [ChatAPI.ChatEvent]) async throws {
        watchdog.pause()
        do {
            try await attempt.replies.write(RouterAPI.CompleteReply(events: events))
        } catch {
            callersError = ChatAttempt.callError(error)
            throw error
        }
        watchdog.resume()
    }

    /// The USAGE event, once. - Parameter events: what is not with the collector yet.
    private mutating func usageEvents(after events: [ChatAPI.ChatEvent]) -> [ChatAPI.ChatEvent] {
        guard !hasUsage else { return [] }
        hasUsage = true
        let bytes = events.reduce(collector.bytes) { $0 + $1.text.utf8.count }
        var usage = decoder.meta.usage ?? EstimatedUsage.of(attempt.chat, answerBytes: bytes)
        usage.costNanousd = PriceTable.cost(one.target.model, usage)
        return [.init(kind: .usage, usage: usage)]
    }

    private func start() -> ChatAPI.ChatEvent {
        let created = decoder.meta.created
        return .init(
            kind: .start,
            served: .init(
                provider: one.target.provider, model: one.target.model, attempts: one.number, cache: attempt.cache,
                degraded: one.degraded, responseID: decoder.meta.id, created: created == 0 ? time(nil) : created))
    }
}
