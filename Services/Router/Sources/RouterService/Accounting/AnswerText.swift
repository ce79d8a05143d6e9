import BulkheadAPI

/// The text of an answer as far as it is needed for counting its tokens: the beginning, and how long it was.
package struct AnswerText: Sendable, Equatable {
    /// Bytes of text: content, reasoning, names and arguments of calls.
    package private(set) var bytes = 0
    /// What is counted; the rest is taken to be like it.
    package private(set) var sample = ""
    /// Choices that were told to be complete.
    package private(set) var finished = 0

    /// Bytes of `sample`, up to a fragment more.
    package static let limit = 32 << 10

    package init() {}

    /// The text of `events`.
    package init(_ events: [ChatAPI.ChatEvent]) {
        self.init()
        for event in events { take(event) }
    }

    package mutating func take(_ event: ChatAPI.ChatEvent) {
        if event.kind == .finish { finished += 1 }
        if event.kind == .toolCall, let name = event.name { append(name) }
        append(event.text)
    }

    private mutating func append(_ text: String) {
        let count = text.utf8.count
        guard count > 0 else { return }
        bytes += count
        let room = Self.limit - sample.utf8.count
        if room >= count {
            sample += text
        } else if room > 0 {
            sample += String(decoding: text.utf8.prefix(room), as: UTF8.self)
        }
    }
}
