import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// Answers of `POST /v1/messages`: a stream of named events, or one document.
///
/// message_start → content blocks (start, deltas, stop) → message_delta with the stop reason → message_stop. The stop reason
/// completes the answer; message_stop is the end of it.
package struct AnthropicDecoder: EventDecoder {
    package private(set) var meta = AnswerMeta()
    package private(set) var isComplete = false
    package private(set) var isOver = false
    /// Block index → our tool index, and whether arguments were seen.
    private var tools: [Int: (index: Int, hasArguments: Bool)] = [:]
    private var toolCount = 0

    package mutating func take(_ event: SSEEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let document = try json(event.data)
        switch document["type"]?.string {
        case "message_start":
            meta.id = document["message"]?["id"]?.string ?? ""
            note(document["message"]?["usage"])
        case "content_block_start":
            begin(document["content_block"] ?? .null, at: document["index"]?.int ?? 0, into: &events)
        case "content_block_delta":
            extend(document["delta"] ?? .null, at: document["index"]?.int ?? 0, into: &events)
        case "content_block_stop":
            end(document["index"]?.int ?? 0, into: &events)
        case "message_delta":
            note(document["usage"])
            if let reason = document["delta"]?["stop_reason"]?.string { finish(reason, document["delta"], into: &events) }
        case "message_stop":
            isOver = true
        case "error":
            throw .provider(ProviderError(inStream: document))
        default:
            events.append(.init(kind: .keepalive))
        }
    }

    package mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent] {
        let answer = try json(body)
        if answer["type"]?.string == "error" { throw .provider(ProviderError(inStream: answer)) }
        guard let blocks = answer["content"]?.array else { throw .malformed("answered 200 without an answer") }
        meta.id = answer["id"]?.string ?? ""
        note(answer["usage"])
        var events: [ChatAPI.ChatEvent] = []
        for (index, block) in blocks.enumerated() {
            begin(block, at: index, into: &events)
            end(index, into: &events)
        }
        guard let reason = answer["stop_reason"]?.string else { throw .malformed("sent an answer without stop_reason") }
        finish(reason, answer, into: &events)
        isOver = true
        return events
    }

    private mutating func begin(_ block: JSON, at index: Int, into events: inout [ChatAPI.ChatEvent]) {
        switch block["type"]?.string {
        case "text":
            append(.text, block["text"]?.string, into: &events)
        case "thinking":
            append(.thinking, block["thinking"]?.string, into: &events)
            sign(block["signature"]?.string, into: &events)
        case "tool_use":
            let tool = toolCount
            toolCount += 1
            events.append(
                .init(
                    kind: .toolCall, toolIndex: tool, id: block["id"]?.string ?? "toolu_\(tool)",
                    name: block["name"]?.string ?? ""))
            var hasArguments = false
            if let input = block["input"], input.object?.isEmpty == false {
                hasArguments = true
                events.append(.init(kind: .toolArguments, text: input.text(), toolIndex: tool))
            }
            tools[index] = (tool, hasArguments)
        default:
            // Blocks the canonical form does not model show at least that the provider works.
            events.append(.init(kind: .keepalive))
        }
    }

    private mutating func extend(_ delta: JSON, at index: Int, into events: inout [ChatAPI.ChatEvent]) {
        switch delta["type"]?.string {
        case "text_delta": append(.text, delta["text"]?.string, into: &events)
        case "thinking_delta": append(.thinking, delta["thinking"]?.string, into: &events)
        case "signature_delta": sign(delta["signature"]?.string, into: &events)
        case "input_json_delta":
            guard let tool = tools[index], let text = delta["partial_json"]?.string, !text.isEmpty else { return }
            tools[index] = (tool.index, true)
            events.append(.init(kind: .toolArguments, text: text, toolIndex: tool.index))
        default: events.append(.init(kind: .keepalive))
        }
    }

    /// A call without arguments streams none; its arguments are the empty object.
    private mutating func end(_ index: Int, into events: inout [ChatAPI.ChatEvent]) {
        guard let tool = tools.removeValue(forKey: index), !tool.hasArguments else { return }
        events.append(.init(kind: .toolArguments, text: "{}", toolIndex: tool.index))
    }

    private func append(_ kind: ChatAPI.EventKind, _ text: String?, into events: inout [ChatAPI.ChatEvent]) {
        if let text, !text.isEmpty { events.append(.init(kind: kind, text: text)) }
    }

    private func sign(_ signature: String?, into events: inout [ChatAPI.ChatEvent]) {
        if let signature, !signature.isEmpty { events.append(.init(kind: .signature, signature: signature)) }
    }

    private mutating func finish(_ reason: String, _ detail: JSON?, into events: inout [ChatAPI.ChatEvent]) {
        guard !isComplete else { return }
        isComplete = true
        let finish: ChatAPI.FinishReason =
            switch reason {
            case "max_tokens", "model_context_window_exceeded": .length
            case "tool_use": .toolCalls
            case "refusal": .contentFilter
            default: .stop
            }
        events.append(.init(kind: .finish, finish: finish, rawFinish: reason, stopSequence: detail?["stop_sequence"]?.string))
    }

    /// Anthropic counts input without what came from or went to its prompt cache; output is cumulative, the last one counts.
    private mutating func note(_ json: JSON?) {
        guard let json, json.object != nil else { return }
        var usage = meta.usage ?? ChatAPI.Usage()
        let input = json["input_tokens"]?.int ?? usage.inputTokens - usage.cachedInputTokens - usage.cacheCreationInputTokens
        if let cached = json["cache_read_input_tokens"]?.int { usage.cachedInputTokens = max(0, cached) }
        if let created = json["cache_creation_input_tokens"]?.int { usage.cacheCreationInputTokens = max(0, created) }
        usage.inputTokens = max(0, input) + usage.cachedInputTokens + usage.cacheCreationInputTokens
        if let output = json["output_tokens"]?.int { usage.outputTokens = max(0, output) }
        meta.usage = usage
    }
}
