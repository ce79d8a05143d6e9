import BulkheadAPI
import BulkheadJSON
import RouterService

/// What the bytes of a provider came to.
struct AnswerOutcome {
    var events: [ChatAPI.ChatEvent] = []
    var fault: DecodeFault?
    private(set) var isComplete = false
    private(set) var isOver = false
    private(set) var meta: AnswerMeta?

    mutating func note(_ decoder: AnswerDecoder) {
        (isComplete, isOver, meta) = (decoder.isComplete, decoder.isOver, decoder.meta)
    }

    mutating func note(_ decoder: any EventDecoder) {
        (isComplete, isOver, meta) = (decoder.isComplete, decoder.isOver, decoder.meta)
    }

    /// Whether it tells callers the same: how texts are divided and signs of life do not matter.
    func isSame(_ other: AnswerOutcome) -> Bool {
        Self.joined(events) == Self.joined(other.events) && fault == other.fault && isComplete == other.isComplete
            && isOver == other.isOver && meta == other.meta
    }

    private static func joined(_ events: [ChatAPI.ChatEvent]) -> [ChatAPI.ChatEvent] {
        events.reduce(into: []) { result, event in
            let isText = [.text, .refusal, .thinking, .toolArguments].contains(event.kind)
            if event.kind == .keepalive { return }
            if isText, !event.beginsBlock, let last = result.last, last.kind == event.kind, last.choice == event.choice,
                last.toolIndex == event.toolIndex
            {
                result[result.count - 1].text += event.text
            } else {
                result.append(event)
                result[result.count - 1].id = event.id.map(withoutChance)
            }
        }
    }

    /// Ids the decoder makes up have sixteen digits that are never the same.
    private static func withoutChance(_ id: String) -> String {
        for mark in ["call_", "toolu_", "tooluse_"] where id.hasPrefix(mark) {
            let rest = id.utf8.dropFirst(mark.utf8.count)
            guard rest.count >= 16, rest.prefix(16).allSatisfy({ (48 ... 57).contains($0) || (97 ... 102).contains($0) }) else {
                break
            }
            return mark + String(decoding: rest.dropFirst(16), as: UTF8.self)
        }
        return id
    }
}

// What holds of every outcome.
extension AnswerOutcome {
    /// Bytes of events for one of the provider: a citation of one digit gets a description around it.
    private static let mostGrowth = 64
    private static let mostTokens = 3 << 40

    func check(_ answer: Answer, _ count: Int) throws {
        var order = EventOrder(choices: answer.choices)
        for event in events { try order.take(event) }
        try promise(events.count <= count, "\(events.count) events of \(count) bytes")
        let size = events.reduce(0) { $0 + Self.bytes($1) }
        try promise(size <= Self.mostGrowth * count, "\(size) bytes of events of \(count) bytes")
        if let fault { try ErrorCheck.check(fault) }
        try promise(!isComplete || order.isFinished, "complete without a finish of all that began: \(self)")
        // A fault in the middle of an event may leave a decoder in any state: it is thrown away.
        let isAll = order.finished.count == answer.choices && fault == nil
        try promise(!isAll || isComplete, "finished, but not complete: \(self)")
        try checkMeta()
    }

    private static func bytes(_ event: ChatAPI.ChatEvent) -> Int {
        [event.text, event.id, event.name, event.json, event.signature, event.rawFinish, event.stopSequence]
            .reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    }

    private func checkMeta() throws {
        try promise((meta?.created ?? 0) >= 0, "created in \(String(describing: meta))")
        guard let usage = meta?.usage else { return }
        let parts: [(part: Int, of: Int)] = [
            (usage.cachedInputTokens + usage.cacheCreationInputTokens, usage.inputTokens),
            (usage.cacheCreation1hInputTokens, usage.cacheCreationInputTokens), (usage.reasoningTokens, usage.outputTokens),
            (usage.audioInputTokens, usage.inputTokens), (usage.imageInputTokens, usage.inputTokens),
            (usage.audioOutputTokens, usage.outputTokens), (usage.imageOutputTokens, usage.outputTokens),
            (usage.inputTokens, Self.mostTokens), (usage.outputTokens, Self.mostTokens),
            (usage.acceptedPredictionTokens ?? 0, Self.mostTokens), (usage.rejectedPredictionTokens ?? 0, Self.mostTokens),
        ]
        try promise(parts.allSatisfy { 0 <= $0.part && $0.part <= $0.of }, "a usage of \(usage)")
    }
}

/// The order of the events of an answer.
///
/// A choice is unknown, begun, then finished. A call is begun, extended, and complete with its choice.
private struct EventOrder {
    private struct Call: Hashable {
        let choice: Int
        let index: Int
    }

    private let choices: Int
    private var begun: Set<Int> = []
    private(set) var finished: Set<Int> = []
    /// Whether arguments came.
    private var calls: [Call: Bool] = [:]

    init(choices: Int) { self.choices = choices }

    /// There is something, and all of it is finished.
    var isFinished: Bool { !finished.isEmpty && begun == finished }

    mutating func take(_ event: ChatAPI.ChatEvent) throws {
        if event.kind == .keepalive { return }
        try promise((0 ..< choices).contains(event.choice), "a choice that was not asked for: \(event)")
        try promise(!finished.contains(event.choice), "after the end of its choice: \(event)")
        begun.insert(event.choice)
        switch event.kind {
        case .text, .refusal, .thinking: try promise(!event.text.isEmpty || event.beginsBlock, "no text: \(event)")
        case .signature: try promise(event.signature?.isEmpty == false, "no signature: \(event)")
        case .redactedThinking: try promise(event.signature != nil, "no signature: \(event)")
        case .logprobs, .rawBlock, .rawDelta:
            try promise((try? JSON.parse(event.json ?? "", maxDepth: JSON.deepestNesting)) != nil, "no JSON: \(event)")
        case .toolCall, .toolArguments: try takeCall(event)
        case .finish: try finish(event.choice)
        default: try promise(false, "not for a decoder to say: \(event)")
        }
    }

    private mutating func takeCall(_ event: ChatAPI.ChatEvent) throws {
        let call = Call(choice: event.choice, index: event.toolIndex)
        try promise((0 ..< 1024).contains(call.index), "a call that cannot be: \(event)")
        if event.kind == .toolCall {
            try promise(
                calls.updateValue(false, forKey: call) == nil && event.id != nil, "a call that is there already: \(event)")
        } else {
            try promise(calls.updateValue(true, forKey: call) != nil && !event.text.isEmpty, "arguments of no call: \(event)")
        }
    }

    private mutating func finish(_ choice: Int) throws {
        let bare = calls.filter { $0.key.choice == choice && !$0.value }
        try promise(bare.isEmpty, "finished with calls without arguments: \(bare)")
        finished.insert(choice)
    }
}
