import BulkheadAPI
import BulkheadJSON

/// Canonical messages as Anthropic's `system` and `messages`.
///
/// A client of this dialect may write system messages between the turns; they stay there. For clients of other dialects, all
/// of them stand on top.
package struct AnthropicMessages {
    private static let dialect = AnthropicRequest.dialect
    private static let longestID = 64

    private let intent: ChatIntent
    private let isNative: Bool
    private let top: [ChatAPI.Message]
    private let rest: [ChatAPI.Message]

    package init(_ intent: ChatIntent) {
        self.intent = intent
        isNative = intent.isNative(.anthropicMessages)
        if isNative {
            let leading = intent.chat.messages.prefix { $0.role == .system || $0.role == .developer }
            top = Array(leading)
            rest = Array(intent.chat.messages.dropFirst(leading.count))
        } else {
            top = intent.system
            rest = intent.turns
        }
    }

    /// The system prompt as one text, or as blocks where a block carries more than text (`cache_control`).
    package func system() throws -> JSON? {
        let parts = top.flatMap(\.parts)
        if parts.isEmpty { return nil }
        guard parts.allSatisfy({ $0.kind == .text || ($0.kind == .raw && isNative) }) else {
            throw NotExpressible.error("A system message with anything but text", in: Self.dialect)
        }
        let isPlain =
            isNative
            ? parts.count == 1 && parts[0].kind == .text && parts[0].extraJson == nil
            : parts.allSatisfy { CachePoint.control($0.extraJson) == nil }
        if isPlain { return .string(parts.map(\.text).filter { !$0.isEmpty }.joined(separator: "\n\n")) }
        return .array(try parts.compactMap(block))
    }

    private struct Turn {
        let role: String
        /// Members of the message that are forwarded: messages are one turn only where these are equal.
        let extra: String?
        var blocks: [JSON]
    }

    /// Turns alternate: consecutive messages of one side become one. A tool's result is the user's side.
    package func turns() throws -> [JSON] {
        var turns: [Turn] = []
        for message in rest {
            let turn = Turn(
                role: Self.role(message.role), extra: isNative ? message.extraJson : nil,
                blocks: try message.parts.compactMap(block))
            if turns.last?.role == turn.role, turns.last?.extra == turn.extra {
                turns[turns.count - 1].blocks += turn.blocks
            } else {
                turns.append(turn)
            }
        }
        turns = turns.filter { !$0.blocks.isEmpty }
        trimPrefill(&turns)
        return try turns.map { turn in
            var object: JSONObject = ["role": .string(turn.role), "content": Self.content(turn.role, turn.blocks)]
            try object.merge(turn.extra, what: "a message")
            return .object(object)
        }
    }

    private static func role(_ role: ChatAPI.Role) -> String {
        switch role {
        case .assistant: "assistant"
        case .system, .developer: "system"
        case .user, .tool, .unspecified: "user"
        }
    }

    /// An answer's beginning must not end with white space, which other dialects allow.
    private func trimPrefill(_ turns: inout [Turn]) {
        guard !isNative, let last = turns.last, last.role == "assistant", let text = last.blocks.last?["text"]?.string else {
            return
        }
        let trimmed = DocumentText.withoutTrailingSpace(text)
        turns[turns.count - 1].blocks.removeLast()
        if !trimmed.isEmpty { turns[turns.count - 1].blocks.append(["type": "text", "text": .string(trimmed)]) }
        if turns[turns.count - 1].blocks.isEmpty { turns.removeLast() }
    }

    /// Results must come first in a turn. A single plain text is written as a string, which every compatible server takes.
    private static func content(_ role: String, _ blocks: [JSON]) -> JSON {
        if blocks.count == 1, let only = blocks[0].object, only.count == 2, let text = only["text"] { return text }
        guard role == "user" else { return .array(blocks) }
        let isResult: (JSON) -> Bool = { $0["type"]?.string == "tool_result" }
        return .array(blocks.filter(isResult) + blocks.filter { !isResult($0) })
    }

    /// One block; nil for what Anthropic refuses and the model does not need: empty texts, reasoning it did not sign.
    private func block(_ part: ChatAPI.Part) throws -> JSON? {
        var object: JSONObject
        switch part.kind {
        case .text, .refusal:
            if part.text.isEmpty { return nil }
            object = ["type": "text", "text": .string(part.text)]
        case .image:
            object = ["type": "image", "source": try source(part)]
        case .document:
            object = ["type": "document", "source": try source(part)]
            object.add("title", .text(part.name))
        case .toolCall:
            let input = try NotExpressible.arguments(part.json, in: Self.dialect)
            object = ["type": "tool_use", "id": .string(id(part.id)), "name": .string(part.name ?? ""), "input": input]
        case .toolResult:
            object = try result(part)
        case .thinking:
            guard let thinking = thinking(part) else { return nil }
            object = thinking
        case .raw where isNative:
            return try NotExpressible.parse(part.json ?? "null", what: "a content block")
        case .raw, .audio, .unspecified:
            throw NotExpressible.kind(part.json, "content part", in: Self.dialect)
        }
        if isNative {
            try object.merge(part.extraJson, what: "a content block")
        } else {
            object.add("cache_control", CachePoint.control(part.extraJson))
        }
        return .object(object)
    }

    /// Signatures of Claude models hosted by Bedrock are Anthropic's; withheld reasoning is written in another way there.
    private func thinking(_ part: ChatAPI.Part) -> JSONObject? {
        guard let signature = part.signature, !signature.isEmpty else { return nil }
        let origin = intent.origin(part)
        if part.redacted {
            return origin == .anthropicMessages ? ["type": "redacted_thinking", "data": .string(signature)] : nil
        }
        guard origin == .anthropicMessages || origin == .bedrock else { return nil }
        return ["type": "thinking", "thinking": .string(part.text), "signature": .string(signature)]
    }

    private func id(_ id: String?) -> String { isNative ? id ?? "" : ToolSyntax.id(id, longest: Self.longestID) }

    private func result(_ part: ChatAPI.Part) throws -> JSONObject {
        var object: JSONObject = ["type": "tool_result", "tool_use_id": .string(id(part.id))]
        object.append("content", isNative ? try nativeContent(part) : try foreignContent(part))
        if part.isError { object.append("is_error", true) }
        return object
    }

    private func nativeContent(_ part: ChatAPI.Part) throws -> JSON {
        try part.json.map { try NotExpressible.parse($0, what: "a tool result") } ?? .string(part.text)
    }

    private func foreignContent(_ part: ChatAPI.Part) throws -> JSON {
        let pieces = try ToolOutput.pieces(part)
        guard !ToolOutput.media(pieces).isEmpty else { return .string(ToolOutput.plainText(pieces, isError: false)) }
        return .array(
            try pieces.compactMap { piece in
                switch piece {
                case .text(let text): text.isEmpty ? nil : ["type": "text", "text": .string(text)]
                case .json(let json): ["type": "text", "text": .string(json.text())]
                case .media(let part): try block(part)
                }
            })
    }

    private func source(_ part: ChatAPI.Part) throws -> JSON {
        switch try MediaSource(part, Self.dialect, isNative: isNative) {
        case .url(let url): return ["type": "url", "url": .string(url)]
        case .text(let text): return ["type": "text", "media_type": "text/plain", "data": .string(text)]
        case .data(let type, let base64):
            if !isNative, part.kind == .document, type != "application/pdf" {
                throw NotExpressible.error("A document of type '\(type.prefix(64))'", in: Self.dialect)
            }
            return ["type": "base64", "media_type": .string(type), "data": .string(base64)]
        }
    }
}
