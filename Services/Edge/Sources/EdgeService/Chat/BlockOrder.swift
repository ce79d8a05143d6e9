import BulkheadAPI

/// The order of an answer for dialects that tell one block after the other and cannot reopen any, where a provider sends the
/// arguments of several calls, or text among them, by turns.
///
/// free → (a call begins) open → (its arguments are one whole JSON object or array) complete → (anything else comes) free.
/// While a call is open, what belongs to other blocks is held; when it is complete, what was held goes on by the same rule. The
/// canonical form has no end of a call: one that never becomes complete is open until the answer ends. Calls that follow each
/// other are not held up. The events are those of one choice.
///
/// Between two writes nothing that is due is held: `admits` is followed by `next` until it is nil.
struct BlockOrder {
    /// What may be held: bytes of text, of which each event counts for `overhead` at least. Beyond it, the open call is taken for
    /// complete; if it goes on after all, the answer cannot be told.
    static let mostHeld = 1 << 20
    private static let overhead = 1 << 10

    private var open: OpenCall?
    private var held: [ChatAPI.ChatEvent] = []
    private var heldBytes = 0
    /// All that is held is due.
    private var isEnding = false

    /// Whether `event` is to be told now; if not, it is kept for `next`.
    mutating func admits(_ event: ChatAPI.ChatEvent) -> Bool {
        switch event.kind {
        case .start, .usage, .keepalive, .unspecified: return true
        // They belong to the text before them, and follow it.
        case .logprobs where held.last?.kind != .text: return true
        case .toolArguments where event.toolIndex == open?.index:
            open?.extend(event.text)
            return true
        case _ where isFree:
            enter(event)
            return true
        case .finish: isEnding = true
        default: break
        }
        hold(event)
        return false
    }

    /// The next of the held events, if it is due now.
    mutating func next() -> ChatAPI.ChatEvent? {
        guard !held.isEmpty else { return nil }
        if !isFree, let place = held.firstIndex(where: { $0.kind == .toolArguments && $0.toolIndex == open?.index }) {
            open?.extend(held[place].text)
            return take(place)
        }
        if !isFree, !isEnding, heldBytes <= Self.mostHeld { return nil }
        let event = take(0)
        enter(event)
        return event
    }

    /// What is told next is another block than the open call, which is over.
    private mutating func enter(_ event: ChatAPI.ChatEvent) { open = event.kind == .toolCall ? OpenCall(event.toolIndex) : nil }

    /// No call has arguments to come, as far as can be seen; a call that has none yet may get some.
    private var isFree: Bool { open?.isComplete ?? true }

    private mutating func take(_ place: Int) -> ChatAPI.ChatEvent {
        let event = held.remove(at: place)
        heldBytes -= Self.weight(event)
        if held.isEmpty { isEnding = false }
        return event
    }

    /// Fragments of one block become one: the count of what is held stays small.
    private mutating func hold(_ event: ChatAPI.ChatEvent) {
        guard let place = place(toExtend: event) else {
            held.append(event)
            heldBytes += Self.weight(event)
            return
        }
        heldBytes -= Self.weight(held[place])
        held[place].text += event.text
        heldBytes += Self.weight(held[place])
    }

    private func place(toExtend event: ChatAPI.ChatEvent) -> Int? {
        switch event.kind {
        case .toolArguments: return held.lastIndex { $0.kind == .toolArguments && $0.toolIndex == event.toolIndex }
        case .text, .refusal, .thinking:
            guard let last = held.last, last.kind == event.kind, !event.beginsBlock else { return nil }
            return last.signature == nil && event.signature == nil && last.id == event.id ? held.count - 1 : nil
        default: return nil
        }
    }

    /// Arguments that have no place any more, or never had one (`isKnown`: their call was told). The same request would meet
    /// the same provider: it is not to be repeated as it is.
    static func fault(_ event: ChatAPI.ChatEvent, isKnown: Bool) -> EdgeError {
        let why = isKnown ? "after other content, when the call was over" : "without their call"
        return EdgeError(
            .badGateway, code: "stream_broken",
            message: "The provider sent arguments of tool call \(event.toolIndex) \(why). Ask for the answer without a stream.",
            shouldRetry: false)
    }

    private static func weight(_ event: ChatAPI.ChatEvent) -> Int {
        overhead + event.text.utf8.count + (event.json?.utf8.count ?? 0) + (event.signature?.utf8.count ?? 0)
    }
}

/// A call whose arguments arrive: whether they are whole so far, as seen from their brackets.
private struct OpenCall {
    let index: Int
    private(set) var isComplete = false
    private var isInString = false
    private var isEscaped = false
    private var depth: Int32 = 0

    init(_ index: Int) { self.index = index }

    mutating func extend(_ text: String) {
        for byte in text.utf8 { take(byte) }
    }

    private mutating func take(_ byte: UInt8) {
        if isInString { return takeInString(byte) }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth &+= 1
            isComplete = false
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth = max(0, depth &- 1)
            isComplete = depth == 0
        default: break
        }
    }

    private mutating func takeInString(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
        }
    }
}
