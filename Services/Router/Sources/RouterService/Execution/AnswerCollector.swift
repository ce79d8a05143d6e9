import BulkheadAPI

/// Keeps an answer's events while they pass. Neighbouring fragments of a block become one, of a mebibyte at most.
package struct AnswerCollector: Sendable {
    /// What is finished; the fragment that may still grow stands beside it.
    private var closed: [ChatAPI.ChatEvent] = []
    /// The growing fragment without its text, which is kept apart so that it grows in place.
    private var open: ChatAPI.ChatEvent?
    private var openText = ""
    /// The answer grew beyond the limit: its events are not kept any more.
    package private(set) var isTooLarge = false
    /// Bytes of text in the answer.
    package private(set) var bytes = 0
    private let limit: Int
    private let keeps: Bool

    /// Bytes of text of an answer that is kept for the cache, or to be replayed.
    package static let cacheLimit = 1 << 20
    /// Bytes of text of one event: a message to the caller must hold it.
    private static let fragmentLimit = 1 << 20

    /// - Parameters:
    ///   - keeps: whether events are wanted; bytes are counted in any case.
    ///   - limit: the most bytes of text that are kept.
    package init(keeps: Bool, limit: Int = AnswerCollector.cacheLimit) {
        self.keeps = keeps
        self.limit = limit
    }

    /// START first, then content and FINISH; USAGE last. Empty when they were not kept.
    package var events: [ChatAPI.ChatEvent] {
        guard var last = open else { return closed }
        last.text = openText
        return closed + [last]
    }

    package mutating func take(_ new: [ChatAPI.ChatEvent]) {
        for event in new where event.kind != .keepalive {
            bytes += event.text.utf8.count + (event.json?.utf8.count ?? 0)
            if bytes > limit, !isTooLarge {
                isTooLarge = true
                (closed, open, openText) = ([], nil, "")
            }
            if keeps, !isTooLarge { append(event) }
        }
    }

    private mutating func append(_ event: ChatAPI.ChatEvent) {
        if let open, open.kind == event.kind, open.choice == event.choice, open.toolIndex == event.toolIndex,
            openText.utf8.count < Self.fragmentLimit, !event.beginsBlock
        {
            return openText += event.text
        }
        close()
        guard [.text, .refusal, .thinking, .toolArguments].contains(event.kind), event.signature == nil, event.json == nil else {
            return closed.append(event)
        }
        open = event
        open?.text = ""
        openText = event.text
    }

    private mutating func close() {
        guard var last = open.take() else { return }
        last.text = openText
        openText = ""
        closed.append(last)
    }
}
