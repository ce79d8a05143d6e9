import BulkheadAPI

/// Keeps an answer's events while they pass. Neighbouring fragments become one.
package struct AnswerCollector: Sendable {
    /// START first, then content and FINISH; USAGE last.
    package private(set) var events: [ChatAPI.ChatEvent] = []
    /// The answer grew beyond the limit: its events are not kept any more.
    package private(set) var isTooLarge = false
    /// Bytes of text in the answer.
    package private(set) var bytes = 0
    private let limit: Int
    private let keeps: Bool

    /// Bytes of text of an answer that is kept for the cache, or to be replayed.
    package static let cacheLimit = 1 << 20

    /// - Parameters:
    ///   - keeps: whether events are wanted; bytes are counted in any case.
    ///   - limit: the most bytes of text that are kept.
    package init(keeps: Bool, limit: Int = AnswerCollector.cacheLimit) {
        self.keeps = keeps
        self.limit = limit
    }

    /// The events, as far as they were kept.
    package var whole: [ChatAPI.ChatEvent] { isTooLarge ? [] : events }

    package mutating func take(_ new: [ChatAPI.ChatEvent]) {
        for event in new where event.kind != .keepalive {
            bytes += event.text.utf8.count + (event.json?.utf8.count ?? 0)
            if bytes > limit, !isTooLarge {
                isTooLarge = true
                events = []
            }
            if keeps, !isTooLarge { append(event) }
        }
    }

    private mutating func append(_ event: ChatAPI.ChatEvent) {
        guard let last = events.last, [.text, .refusal, .thinking, .toolArguments].contains(event.kind), last.kind == event.kind,
            last.choice == event.choice, last.toolIndex == event.toolIndex
        else { return events.append(event) }
        events[events.count - 1].text += event.text
    }
}
