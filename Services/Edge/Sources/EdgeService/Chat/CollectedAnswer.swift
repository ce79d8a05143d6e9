import BulkheadAPI
import BulkheadJSON

/// The events of an answer put together, for clients that do not stream.
package struct CollectedAnswer: Sendable, Equatable {
    /// A run of one kind of content.
    package struct Block: Sendable, Equatable {
        /// What it is.
        package enum Kind: Sendable, Equatable {
            case text, refusal, thinking, redactedThinking, toolCall
            /// What only the dialect of who served knows.
            case raw
        }

        /// What it is.
        package var kind: Kind
        /// The text; of a call its arguments.
        package var text = ""
        /// Of reasoning; withheld reasoning has nothing else.
        package var signature = ""
        /// Of a call: its place among the calls, from 0.
        package var toolIndex = 0
        /// Of a call, or of reasoning that has one at its provider.
        package var id = ""
        /// Of a call.
        package var name = ""
        /// Of a raw block: as it began.
        package var json = JSON.null
        /// What the canonical form does not model, in the order it was told.
        package var deltas: [JSON] = []
    }

    /// One of the answers that were asked for.
    package struct Choice: Sendable, Equatable {
        /// Its number, from 0.
        package var index: Int
        /// Its content in order.
        package var blocks: [Block] = []
        /// Members of an OpenAI message the canonical form does not model.
        package var members = JSONObject()
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
        default: choices[place(of: event.choice)].add(event, from: served.dialect)
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
    /// Whether a tool is called: then that is what ended the answer, whatever the provider says.
    var callsTools: Bool { blocks.contains { $0.kind == .toolCall } }

    fileprivate mutating func add(_ event: ChatAPI.ChatEvent, from dialect: ChatAPI.Dialect) {
        switch event.kind {
        case .text:
            if event.beginsBlock { blocks.append(.init(kind: .text)) }
            extend(.text, event.text)
        case .refusal: extend(.refusal, event.text)
        case .thinking:
            extend(.thinking, event.text)
            if let signature = event.signature { sign(signature, event.id) }
        case .signature: sign(event.signature ?? event.text, event.id)
        case .redactedThinking:
            blocks.append(
                .init(kind: .redactedThinking, signature: event.signature ?? event.text, id: event.id ?? ""))
        case .toolCall:
            blocks.append(.init(kind: .toolCall, toolIndex: event.toolIndex, id: event.id ?? "", name: event.name ?? ""))
        case .toolArguments:
            guard let place = blocks.lastIndex(where: { $0.kind == .toolCall && $0.toolIndex == event.toolIndex }) else { return }
            blocks[place].text += event.text
        case .rawBlock: addRaw(event)
        case .rawDelta: addDelta(event, from: dialect)
        case .logprobs: if let json = event.json { logprobs.append(json) }
        case .finish: finish = event
        case .start, .usage, .keepalive, .unspecified: break
        }
    }

    /// Adds to the last block if it is of this kind and still open, else begins a new one.
    private mutating func extend(_ kind: CollectedAnswer.Block.Kind, _ text: String) {
        if let last = blocks.last, last.kind == kind, last.signature.isEmpty {
            blocks[blocks.count - 1].text += text
        } else {
            blocks.append(.init(kind: kind, text: text))
        }
    }

    private mutating func sign(_ signature: String, _ id: String?) {
        if blocks.last?.kind != .thinking { blocks.append(.init(kind: .thinking)) }
        blocks[blocks.count - 1].signature += signature
        if let id { blocks[blocks.count - 1].id = id }
    }

    /// A block of text may be told raw, to begin a new one.
    private mutating func addRaw(_ event: ChatAPI.ChatEvent) {
        guard let json = event.json.flatMap({ try? JSON.parse($0) }) else { return }
        let isText = json["type"] == "text"
        blocks.append(.init(kind: isText ? .text : .raw, text: isText ? json["text"]?.string ?? "" : "", json: json))
    }

    private mutating func addDelta(_ event: ChatAPI.ChatEvent, from dialect: ChatAPI.Dialect) {
        guard let json = event.json.flatMap({ try? JSON.parse($0) }) else { return }
        if dialect == .openaiChat {
            if let delta = json.object { RawDelta.merge(delta, into: &members) }
            return
        }
        if blocks.isEmpty { blocks.append(.init(kind: .text)) }
        blocks[blocks.count - 1].deltas.append(json)
    }
}
