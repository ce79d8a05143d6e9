import BulkheadAPI

/// The second answer is not the first one again.
package struct Diverged: Error, Sendable, Equatable {
    package init() {}
}

/// Takes from a second answer what the caller has been shown of the first one, so that the rest can be appended to it.
///
/// Text, refusals, names and arguments of tool calls must be equal to the byte. Reasoning and log probabilities differ with
/// every run of a model and are passed over until the shown part is behind; where that ends in reasoning, until something else
/// comes: no reasoning is made of two, under the signature of one.
package struct ReplayMatcher: Sendable {
    /// A stretch of what was shown.
    private enum Run: Sendable {
        case text(kind: ChatAPI.EventKind, tool: Int, Substring.UTF8View)
        case call(tool: Int, name: String)
        case finish
    }

    /// What is still to come, by choice, the next run last.
    private var expected: [Int: [Run]] = [:]
    /// Choices whose shown part ends in reasoning.
    private var endsInReasoning: Set<Int> = []
    /// Choices whose shown part ends with the beginning of a block of text.
    private var endsInBeginning: Set<Int> = []

    /// - Parameter shown: the events the caller has.
    package init(_ shown: [ChatAPI.ChatEvent]) {
        for event in shown {
            noteEnd(event)
            guard let run = Self.run(event) else { continue }
            expected[event.choice, default: []].append(run)
        }
        for choice in expected.keys { expected[choice]?.reverse() }
    }

    /// The caller has, or gets, `event` last.
    private mutating func noteEnd(_ event: ChatAPI.ChatEvent) {
        switch event.kind {
        case .thinking, .signature, .redactedThinking: endsInReasoning.insert(event.choice)
        case .text where event.beginsBlock && event.text.isEmpty: endsInBeginning.insert(event.choice)
        case .start, .usage, .keepalive, .logprobs, .unspecified: break
        default:
            endsInReasoning.remove(event.choice)
            endsInBeginning.remove(event.choice)
        }
    }

    private static func run(_ event: ChatAPI.ChatEvent) -> Run? {
        switch event.kind {
        case .text, .refusal: event.text.isEmpty ? nil : .text(kind: event.kind, tool: 0, event.text[...].utf8)
        case .toolArguments: event.text.isEmpty ? nil : .text(kind: event.kind, tool: event.toolIndex, event.text[...].utf8)
        case .toolCall: .call(tool: event.toolIndex, name: event.name ?? "")
        case .finish: .finish
        default: nil
        }
    }

    /// Everything that was shown has come again, in every choice.
    package var isPast: Bool { expected.values.allSatisfy(\.isEmpty) }

    /// The part of `event` that the caller does not have yet; nil when it has all of it.
    package mutating func rest(of event: ChatAPI.ChatEvent) throws(Diverged) -> ChatAPI.ChatEvent? {
        guard let runs = expected[event.choice], !runs.isEmpty else { return new(event) }
        switch event.kind {
        case .text, .refusal: return try matchText(event, tool: 0)
        case .toolArguments: return try matchText(event, tool: event.toolIndex)
        case .toolCall:
            guard case .call(event.toolIndex, event.name ?? "") = runs.last else { throw Diverged() }
            expected[event.choice]?.removeLast()
            return nil
        case .finish:
            guard case .finish = runs.last else { throw Diverged() }
            expected[event.choice]?.removeLast()
            return nil
        case .rawBlock, .rawDelta:
            throw Diverged()
        case .start, .thinking, .signature, .redactedThinking, .logprobs, .usage, .keepalive, .unspecified:
            return nil
        }
    }

    /// What comes after everything that was shown of the choice.
    private mutating func new(_ event: ChatAPI.ChatEvent) -> ChatAPI.ChatEvent? {
        switch event.kind {
        case .thinking, .signature, .redactedThinking: return endsInReasoning.contains(event.choice) ? nil : event
        case .text where event.beginsBlock && endsInBeginning.contains(event.choice):
            var rest = event
            rest.beginsBlock = false
            noteEnd(rest)
            return rest.text.isEmpty ? nil : rest
        default:
            noteEnd(event)
            return event
        }
    }

    private mutating func matchText(_ event: ChatAPI.ChatEvent, tool: Int) throws(Diverged) -> ChatAPI.ChatEvent? {
        var new = event.text[...].utf8
        while !new.isEmpty {
            guard let run = expected[event.choice]?.last else {
                var rest = event
                rest.text = String(Substring(new))
                rest.beginsBlock = false
                noteEnd(rest)
                return rest
            }
            guard case .text(event.kind, tool, let shown) = run else { throw Diverged() }
            let count = min(new.count, shown.count)
            guard new.prefix(count).elementsEqual(shown.prefix(count)) else { throw Diverged() }
            new = new.dropFirst(count)
            expected[event.choice]?.removeLast()
            let left = shown.dropFirst(count)
            if !left.isEmpty { expected[event.choice]?.append(.text(kind: event.kind, tool: tool, left)) }
        }
        return nil
    }
}
