import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

// States of an answer on its way to the caller: unseen (nothing reached the caller: every failure leaves all ways open) →
// shown (START and content are with the caller: only an answer that goes on from there may follow) → complete.
// What a further try does with a shown answer: it continues it (the model was given the shown text and goes on), or it replays
// it (the model was asked anew, and what it repeats is dropped). An answer that is delivered whole is never shown before it is
// complete, so that every try begins with nothing.

/// Brings one answer to the caller, over all tries that it takes. Confined to the task of its call.
package final class AnswerRelay {
    /// How the answer reaches the caller.
    package enum Delivery: Sendable {
        /// As it comes.
        case live
        /// When it is complete: for callers that do not stream, and for routes that buffer.
        case whole
    }

    private enum Mode {
        case fresh
        /// What the shown text ended with besides what the model was given: taken off the continuation if it comes again.
        case continuing(blank: Substring.UTF8View)
        case replaying(ReplayMatcher)
    }

    private let send: ([ChatAPI.ChatEvent]) async throws -> Void
    private let delivery: Delivery
    private let policy: StreamBreakPolicy
    private var mode = Mode.fresh
    private var answer: AnswerCollector
    private let keeps: Bool
    /// START of the present answer; nil until a try has content.
    package private(set) var served: ChatAPI.Served?
    /// START and content reached the caller.
    package private(set) var isShown = false
    /// USAGE was delivered: nothing more follows.
    package private(set) var isOver = false
    /// The caller could not be written to: nobody is left to answer.
    package private(set) var callersError: CallError?
    /// What tries that broke off have cost.
    package private(set) var spent = SpentUsage()
    /// Targets that refused to go on with a begun answer.
    private var refusingPrefill: Set<String> = []

    /// The most text of an answer that is collected before it is delivered.
    package static let wholeLimit = 32 << 20
    /// Bytes of text in one message to the caller.
    private static let batchBytes = 256 << 10

    /// - Parameters:
    ///   - policy: what happens when the answer breaks off after the caller has been shown a part.
    ///   - keeps: the whole answer is wanted for the cache.
    ///   - send: writes events to the caller.
    package init(
        _ delivery: Delivery, _ policy: StreamBreakPolicy, keeps: Bool,
        _ send: @escaping ([ChatAPI.ChatEvent]) async throws -> Void
    ) {
        self.send = send
        self.delivery = delivery
        self.policy = policy
        self.keeps = keeps
        answer = Self.collector(delivery, policy, keeps)
    }

    private static func collector(_ delivery: Delivery, _ policy: StreamBreakPolicy, _ keeps: Bool) -> AnswerCollector {
        switch delivery {
        case .whole: AnswerCollector(keeps: true, limit: wholeLimit)
        case .live: AnswerCollector(keeps: keeps || policy == .replay || policy == .continue)
        }
    }

    /// The events of the whole answer for the cache; empty when they were not kept.
    package var kept: [ChatAPI.ChatEvent] { keeps && answer.bytes <= AnswerCollector.cacheLimit ? answer.events : [] }

    // MARK: tries

    /// Begins a try. - Parameter facts: of the target's model. - Returns: the request it is to make.
    package func begin(
        _ chat: ChatAPI.ChatRequest, at target: Target, _ facts: @autoclosure () -> ModelFacts
    ) -> ChatAPI.ChatRequest {
        guard isShown else {
            mode = .fresh
            served = nil
            answer = Self.collector(delivery, policy, keeps)
            spent.beginAnswer()
            return chat
        }
        if policy == .continue, let text = prefill(chat, target, facts()) {
            let given = text.utf8.reversed().drop { Self.isBlank($0) }.count
            mode = .continuing(blank: text[...].utf8.dropFirst(given))
            var begun = chat
            begun.messages.append(
                .init(role: .assistant, parts: [.init(kind: .text, text: String(Substring(text.utf8.prefix(given))))]))
            return begun
        }
        mode = .replaying(ReplayMatcher(answer.events))
        spent.beginAnswer()
        return chat
    }

    /// The present try goes on with a begun answer.
    package var isContinuing: Bool {
        if case .continuing = mode { true } else { false }
    }

    private var isFresh: Bool {
        if case .fresh = mode { true } else { false }
    }

    /// The provider of the present try does not take a begun answer.
    package func refusePrefill(_ target: Target) { refusingPrefill.insert(target.label) }

    /// Whether another try may follow one that ended now.
    package var canGoOn: Bool {
        guard isShown else { return true }
        guard policy == .replay || policy == .continue, callersError == nil, !answer.isTooLarge else { return false }
        // Of content that only one dialect knows nobody can tell whether it comes again.
        return !answer.events.contains { $0.kind == .rawBlock || $0.kind == .rawDelta }
    }

    /// The text a model may go on with: all that was shown, if that is text of one choice and nothing else.
    private func prefill(_ chat: ChatAPI.ChatRequest, _ target: Target, _ facts: ModelFacts) -> String? {
        guard facts.takesPrefill ?? (target.dialect == .anthropic), !refusingPrefill.contains(target.label),
            chat.responseFormatJson == nil, (chat.choices ?? 1) == 1
        else { return nil }
        var text = ""
        for event in answer.events {
            switch event.kind {
            case .text: text += event.text
            case .start, .thinking, .signature, .redactedThinking, .logprobs: break
            default: return nil
            }
        }
        return text.utf8.contains { !Self.isBlank($0) } ? text : nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9 ... 13).contains(byte) }

    // MARK: events

    /// Passes on what a try has decoded, START aside.
    /// - Parameter usage: what is known of it already, for START: some providers tell the input before they answer.
    /// - Returns: false while there is nothing yet that a caller could be shown.
    /// - Throws: `Diverged`; `CallError` when the caller cannot be written to; `TargetFailure` for too large an answer.
    package func deliver(
        _ events: [ChatAPI.ChatEvent], _ target: Target, _ watchdog: Watchdog,
        usage: @autoclosure () -> ChatAPI.Usage? = nil, start: () -> ChatAPI.Served
    ) async throws -> Bool {
        guard let fresh = try take(events, target, usage, start) else { return false }
        if !fresh.isEmpty {
            isShown = true
            try await write(fresh, watchdog)
        }
        return true
    }

    /// - Returns: what is to be written now; nil while there is nothing yet that a caller could be shown.
    @inline(never)
    private func take(
        _ events: [ChatAPI.ChatEvent], _ target: Target, _ usage: () -> ChatAPI.Usage?, _ start: () -> ChatAPI.Served
    ) throws -> [ChatAPI.ChatEvent]? {
        var fresh = isFresh ? events : try events.compactMap { try unseen($0) }
        if served == nil {
            // Pings open nothing: as long as nothing is shown, another target can take over.
            fresh.removeAll { $0.kind == .keepalive }
            guard !fresh.isEmpty else { return nil }
            let served = start()
            self.served = served
            fresh.insert(.init(kind: .start, usage: usage(), served: served), at: 0)
        }
        answer.take(fresh)
        if delivery == .whole {
            guard answer.isTooLarge else { return [] }
            throw TargetFailure.broken(target, "sent an answer larger than \(Self.wholeLimit >> 20) MiB")
        }
        return fresh
    }

    /// Ends the answer with its usage; one that is delivered whole goes out now.
    /// - Parameter last: who served at the end, if that is not who began.
    package func complete(_ usage: ChatAPI.Usage, last: ChatAPI.Served, _ watchdog: Watchdog) async throws {
        guard !isOver else { return }
        let event = ChatAPI.ChatEvent(
            kind: .usage, usage: spent.total(with: usage), served: last.attempts == served?.attempts ? nil : last)
        answer.take([event])
        guard delivery == .whole else {
            try await write([event], watchdog)
            isOver = true
            return
        }
        var rest = answer.events[...]
        while !rest.isEmpty {
            var bytes = 0
            let batch = rest.prefix { event in
                defer { bytes += event.text.utf8.count + (event.json?.utf8.count ?? 0) + 64 }
                return bytes < Self.batchBytes
            }
            rest = rest.dropFirst(batch.count)
            isShown = true
            try await write(Array(batch), watchdog)
        }
        isOver = true
    }

    /// A try broke off after content was seen: it has cost `usage`.
    package func spend(_ usage: ChatAPI.Usage) { spent.add(usage) }

    /// What `event` adds to what the caller has.
    private func unseen(_ event: ChatAPI.ChatEvent) throws(Diverged) -> ChatAPI.ChatEvent? {
        switch mode {
        case .fresh: return event
        case .continuing(let blank):
            guard event.kind == .text, !blank.isEmpty, !event.text.isEmpty else { return event }
            return withoutBlank(event, blank)
        case .replaying(var matcher):
            defer { mode = .replaying(matcher) }
            return try matcher.rest(of: event)
        }
    }

    /// The model was not given the blank space at the end of the shown text: what it repeats of it is dropped.
    private func withoutBlank(_ event: ChatAPI.ChatEvent, _ blank: Substring.UTF8View) -> ChatAPI.ChatEvent? {
        let common = zip(event.text.utf8, blank).prefix { $0 == $1 }.count
        let isMatching = common == event.text.utf8.count && common < blank.count
        mode = .continuing(blank: isMatching ? blank.dropFirst(common) : blank.dropFirst(blank.count))
        var rest = event
        rest.text = String(Substring(event.text.utf8.dropFirst(common)))
        return rest.text.isEmpty ? nil : rest
    }

    private func write(_ events: [ChatAPI.ChatEvent], _ watchdog: Watchdog) async throws {
        watchdog.pause()
        do {
            try await send(events)
        } catch {
            callersError = ChatAttempt.callError(error)
            throw error
        }
        watchdog.resume()
    }
}
