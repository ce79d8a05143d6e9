import BulkheadAPI

/// The events of an answer put together, for clients that do not stream.
package struct CollectedAnswer: Sendable, Equatable {
    /// A run of one kind of content.
    package enum Block: Sendable, Equatable {
        case text(String)
        case refusal(String)
        case thinking(String, signature: String)
        case toolCall(index: Int, id: String, name: String, arguments: String)
    }

    /// One of the answers that were asked for.
    package struct Choice: Sendable, Equatable {
        /// Its number, from 0.
        package var index: Int
        /// Its content in order.
        package var blocks: [Block] = []
        /// OpenAI's logprobs objects, one a fragment.
        package var logprobs: [String] = []
        /// The event that says the choice is complete.
        package var finish: ChatAPI.ChatEvent?
    }

    /// Who served.
    package var served = ChatAPI.Served()
    /// In the order of their number.
    package var choices: [Choice] = []
    /// What it cost; nil until told.
    package var usage: ChatAPI.Usage?

    /// No answer yet.
    package init() {}

    /// Whether each of the first `count` choices came to its end.
    package func isComplete(count: Int) -> Bool { choices.count >= count && choices.allSatisfy { $0.finish != nil } }

    /// Takes in the next event.
    package mutating func add(_ event: ChatAPI.ChatEvent) {
        switch event.kind {
        case .start: served = event.served ?? served
        case .usage: usage = event.usage ?? usage
        case .keepalive, .unspecified: break
        default: choices[place(of: event.choice)].add(event)
        }
    }

    /// Choices stand in the order of their index.
    private mutating func place(of index: Int) -> Int {
        if let place = choices.firstIndex(where: { $0.index >= index }) {
            if choices[place].index != index { choices.insert(Choice(index: index), at: place) }
            return place
        }
        choices.append(Choice(index: index))
        return choices.count - 1
    }
}

extension CollectedAnswer.Choice {
    fileprivate mutating func add(_ event: ChatAPI.ChatEvent) {
        switch event.kind {
        case .text: extend(event.text, else: .text(event.text)) { if case .text(let text) = $0 { .text(text + $1) } else { nil } }
        case .refusal:
            extend(event.text, else: .refusal(event.text)) {
                if case .refusal(let text) = $0 { .refusal(text + $1) } else { nil }
            }
        case .thinking:
            extend(event.text, else: .thinking(event.text, signature: event.signature ?? "")) {
                if case .thinking(let text, "") = $0 { .thinking(text + $1, signature: event.signature ?? "") } else { nil }
            }
        case .signature:
            extend(event.signature ?? "", else: .thinking("", signature: event.signature ?? "")) {
                if case .thinking(let text, let signature) = $0 { .thinking(text, signature: signature + $1) } else { nil }
            }
        case .toolCall:
            blocks.append(.toolCall(index: event.toolIndex, id: event.id ?? "", name: event.name ?? "", arguments: ""))
        case .toolArguments: addArguments(event)
        case .logprobs: if let json = event.json { logprobs.append(json) }
        case .finish: finish = event
        case .start, .usage, .keepalive, .redactedThinking, .rawBlock, .rawDelta, .unspecified: break
        }
    }

    /// Adds to the last block if it is of the right kind, else begins a new one.
    private mutating func extend(
        _ text: String, else fresh: CollectedAnswer.Block, _ merge: (CollectedAnswer.Block, String) -> CollectedAnswer.Block?
    ) {
        if let last = blocks.last, let merged = merge(last, text) {
            blocks[blocks.count - 1] = merged
        } else {
            blocks.append(fresh)
        }
    }

    private mutating func addArguments(_ event: ChatAPI.ChatEvent) {
        for place in blocks.indices.reversed() {
            guard case .toolCall(event.toolIndex, let id, let name, let arguments) = blocks[place] else { continue }
            blocks[place] = .toolCall(index: event.toolIndex, id: id, name: name, arguments: arguments + event.text)
            return
        }
    }
}
