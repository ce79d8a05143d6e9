import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Answers of `POST /v1/messages`: a stream of named events, or one document.
///
/// message_start → content blocks (start, deltas, stop) → message_delta with the stop reason → message_stop. The stop reason
/// completes the answer; message_stop is the end of it.
package struct AnthropicDecoder: EventDecoder {
    private enum Block: Sendable { case text, thinking, tool, raw }

    package private(set) var meta = AnswerMeta()
    package private(set) var isComplete = false
    package private(set) var isOver = false
    private var open: [Int: Block] = [:]
    private var begun = 0
    /// The last block was text: another one is told apart from it.
    private var isAfterText = false
    private var calls = ToolCalls()
    private var usage = AnthropicUsage()

    package init() {}

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try JSONView.read(event.data) { (document) throws(DecodeFault) in try take(document, into: &events) }
    }

    private mutating func take(_ document: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(document)
        switch document["type"]?.spelling {
        case "message_start":
            guard begun == 0, !isComplete else { throw .malformed("began its answer twice") }
            note(document["message"], usage: document["message"]?["usage"])
        case "content_block_start":
            let index = try index(document)
            guard open[index] == nil, !isComplete else { throw .malformed("began a content block twice") }
            try begin(document["content_block"], at: index, into: &events)
        case "content_block_delta":
            try extend(document["delta"], at: try index(document), into: &events)
        case "content_block_stop":
            end(try index(document), into: &events)
        case "message_delta":
            try takeEnd(document, into: &events)
        case "message_stop":
            isOver = true
        case "error":
            throw .provider(ProviderError(inStream: document.json))
        default:
            events.keepalive()
        }
    }

    package mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(answer)
        guard let blocks = answer["content"], blocks.isArray else { throw .malformed("answered 200 without an answer") }
        note(answer, usage: answer["usage"])
        for (index, block) in blocks.elements.enumerated() {
            try begin(block, at: index, into: &events)
            end(index, into: &events)
        }
        guard let reason = DecodeBounds.finish(answer["stop_reason"]) else {
            throw .malformed("sent an answer without stop_reason")
        }
        finish(reason, answer, into: &events)
        isOver = true
    }

    private func index(_ document: JSONView) throws(DecodeFault) -> Int {
        try DecodeBounds.index(document["index"], below: DecodeBounds.blocks, of: "a content block")
    }

    private mutating func takeEnd(_ document: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        note(nil, usage: document["usage"])
        guard let reason = DecodeBounds.finish(document["delta"]?["stop_reason"]) else { return }
        // Some compatible servers never close their last block.
        calls.endAll(into: &events)
        open = [:]
        finish(reason, document["delta"], into: &events)
    }
}

extension AnthropicDecoder {
    /// Blocks that the canonical form does not model go on as they are, with the deltas that follow.
    private mutating func begin(_ block: JSONView?, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        begun += 1
        guard begun <= DecodeBounds.blocks else { throw .malformed("sent more than \(DecodeBounds.blocks) content blocks") }
        let type = block?["type"]?.spelling
        let isText = type.map { $0 == "text" } ?? false
        defer { isAfterText = isText }
        switch type {
        case "text":
            open[index] = .text
            if isAfterText { events.append(.init(kind: .text, beginsBlock: true)) }
            events.text(.text, block?["text"]?.string)
            for citation in (block?["citations"]).elements {
                events.raw(.rawDelta, ["type": "citations_delta", "citation": citation.json])
            }
        case "thinking":
            open[index] = .thinking
            events.text(.thinking, block?["thinking"]?.string)
            events.signature(block?["signature"]?.string)
        case "redacted_thinking":
            open[index] = .thinking
            events.append(.init(kind: .redactedThinking, signature: block?["data"]?.string ?? ""))
        case "tool_use":
            open[index] = .tool
            let id = block?["id"]?.string ?? "toolu_\(ToolSyntax.hex(.random(in: 0 ... .max)))"
            try calls.begin(index, id: id, name: block?["name"]?.string ?? "", into: &events)
            if let input = block?["input"], !input.members.isEmpty { try calls.extend(index, input.json.text(), into: &events) }
        case .some:
            open[index] = .raw
            events.raw(.rawBlock, block?.json ?? .null)
        case nil:
            throw .malformed("sent a content block without a type")
        }
    }

    private mutating func extend(_ delta: JSONView?, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard let block = open[index] else { throw .malformed("sent a delta of a content block that is not open") }
        switch (block, delta?["type"]?.spelling) {
        case (.raw, .some): events.raw(.rawDelta, delta?.json ?? .null)
        case (.text, "text_delta"): events.text(.text, delta?["text"]?.string)
        case (.thinking, "thinking_delta"): events.text(.thinking, delta?["thinking"]?.string)
        case (.thinking, "signature_delta"): events.signature(delta?["signature"]?.string)
        case (.tool, "input_json_delta"): try calls.extend(index, delta?["partial_json"]?.string ?? "", into: &events)
        case (_, "text_delta"), (_, "thinking_delta"), (_, "signature_delta"), (_, "input_json_delta"), (_, nil):
            throw .malformed("sent a delta that does not fit its content block")
        case (.text, _): events.raw(.rawDelta, delta?.json ?? .null)
        default: events.keepalive()
        }
    }

    private mutating func end(_ index: Int, into events: inout [ChatAPI.ChatEvent]) {
        if open.removeValue(forKey: index) == .tool { calls.end(index, into: &events) }
    }

    private mutating func finish(_ reason: String, _ detail: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        guard !isComplete else { return }
        isComplete = true
        let finish: ChatAPI.FinishReason =
            switch reason {
            case "max_tokens", "model_context_window_exceeded": .length
            case "tool_use": .toolCalls
            case "refusal": .contentFilter
            case "pause_turn": .pause
            default: .stop
            }
        events.append(.init(kind: .finish, finish: finish, rawFinish: reason, stopSequence: detail?["stop_sequence"]?.string))
    }

    private mutating func note(_ message: JSONView?, usage json: JSONView?) {
        if meta.id.isEmpty { meta.id = message?["id"]?.string ?? "" }
        guard let json, json.isObject else { return }
        if let tier = json["service_tier"]?.string { meta.serviceTier = tier }
        usage.note(json)
        meta.usage = usage.total
    }
}
