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
    private var calls = ToolCalls()
    private var usage = AnthropicUsage()

    package init() {}

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let document = try json(event.data)
        try refuseError(document)
        switch document["type"]?.string {
        case "message_start":
            guard begun == 0, !isComplete else { throw .malformed("began its answer twice") }
            note(document["message"] ?? .null)
        case "content_block_start":
            let index = try index(document)
            guard open[index] == nil, !isComplete else { throw .malformed("began a content block twice") }
            try begin(document["content_block"] ?? .null, at: index, into: &events)
        case "content_block_delta":
            try extend(document["delta"] ?? .null, at: try index(document), into: &events)
        case "content_block_stop":
            end(try index(document), into: &events)
        case "message_delta":
            try takeEnd(document, into: &events)
        case "message_stop":
            isOver = true
        case "error":
            throw .provider(ProviderError(inStream: document))
        default:
            events.keepalive()
        }
    }

    package mutating func takeWhole(_ answer: JSON, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(answer)
        guard let blocks = answer["content"]?.array else { throw .malformed("answered 200 without an answer") }
        note(answer)
        for (index, block) in blocks.enumerated() {
            try begin(block, at: index, into: &events)
            end(index, into: &events)
        }
        guard let reason = answer["stop_reason"]?.string else { throw .malformed("sent an answer without stop_reason") }
        finish(reason, answer, into: &events)
        isOver = true
    }

    private func index(_ document: JSON) throws(DecodeFault) -> Int {
        try DecodeBounds.index(document["index"], below: DecodeBounds.blocks, of: "a content block")
    }

    private mutating func takeEnd(_ document: JSON, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        note(["usage": document["usage"] ?? .null])
        guard let reason = document["delta"]?["stop_reason"]?.string else { return }
        // Some compatible servers never close their last block.
        calls.endAll(into: &events)
        open = [:]
        finish(reason, document["delta"], into: &events)
    }
}

extension AnthropicDecoder {
    /// Blocks that the canonical form does not model go on as they are, with the deltas that follow.
    private mutating func begin(_ block: JSON, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        begun += 1
        guard begun <= DecodeBounds.blocks else { throw .malformed("sent more than \(DecodeBounds.blocks) content blocks") }
        switch block["type"]?.string {
        case "text":
            open[index] = .text
            events.text(.text, block["text"]?.string)
            for citation in block["citations"]?.array ?? [] {
                events.raw(.rawDelta, ["type": "citations_delta", "citation": citation])
            }
        case "thinking":
            open[index] = .thinking
            events.text(.thinking, block["thinking"]?.string)
            events.signature(block["signature"]?.string)
        case "redacted_thinking":
            open[index] = .thinking
            events.append(.init(kind: .redactedThinking, signature: block["data"]?.string ?? ""))
        case "tool_use":
            open[index] = .tool
            let id = block["id"]?.string ?? "toolu_\(ToolSyntax.hex(.random(in: 0 ... .max)))"
            try calls.begin(index, id: id, name: block["name"]?.string ?? "", into: &events)
            if let input = block["input"], input.object?.isEmpty == false { try calls.extend(index, input.text(), into: &events) }
        case .some:
            open[index] = .raw
            events.raw(.rawBlock, block)
        case nil:
            throw .malformed("sent a content block without a type")
        }
    }

    private mutating func extend(_ delta: JSON, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard let block = open[index] else { throw .malformed("sent a delta of a content block that is not open") }
        switch (block, delta["type"]?.string) {
        case (.raw, .some): events.raw(.rawDelta, delta)
        case (.text, "text_delta"): events.text(.text, delta["text"]?.string)
        case (.thinking, "thinking_delta"): events.text(.thinking, delta["thinking"]?.string)
        case (.thinking, "signature_delta"): events.signature(delta["signature"]?.string)
        case (.tool, "input_json_delta"): try calls.extend(index, delta["partial_json"]?.string ?? "", into: &events)
        case (.text, .some(let type)) where !["input_json_delta", "thinking_delta", "signature_delta"].contains(type):
            events.raw(.rawDelta, delta)
        case (_, "text_delta"), (_, "thinking_delta"), (_, "signature_delta"), (_, "input_json_delta"), (_, nil):
            throw .malformed("sent a delta that does not fit its content block")
        default: events.keepalive()
        }
    }

    private mutating func end(_ index: Int, into events: inout [ChatAPI.ChatEvent]) {
        if open.removeValue(forKey: index) == .tool { calls.end(index, into: &events) }
    }

    private mutating func finish(_ reason: String, _ detail: JSON?, into events: inout [ChatAPI.ChatEvent]) {
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

    /// - Parameter message: an object with the members of a message, or some of them.
    private mutating func note(_ message: JSON) {
        if meta.id.isEmpty { meta.id = message["id"]?.string ?? "" }
        guard let json = message["usage"], json.object != nil else { return }
        if let tier = json["service_tier"]?.string { meta.serviceTier = tier }
        usage.note(json)
        meta.usage = usage.total
    }
}
