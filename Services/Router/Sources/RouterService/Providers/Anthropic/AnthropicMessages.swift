import BulkheadAPI
import BulkheadJSON

/// Canonical messages as Anthropic's `system` and `messages`.
package enum AnthropicMessages {
    /// All system and developer messages as one text, or as blocks where a block carries more than text (`cache_control`).
    package static func system(_ messages: [ChatAPI.Message], isNative: Bool) throws -> JSON? {
        let parts = messages.flatMap(\.parts)
        if parts.isEmpty { return nil }
        guard parts.allSatisfy({ $0.kind == .text || ($0.kind == .raw && isNative) }) else {
            throw NotExpressible.error("A system message with anything but text", in: AnthropicRequest.dialect)
        }
        let isPlain = !isNative || (parts.count == 1 && parts[0].kind == .text && parts[0].extraJson == nil)
        if isPlain { return .string(parts.map(\.text).joined(separator: "\n\n")) }
        return .array(try parts.compactMap { try block($0, isNative: isNative) })
    }

    /// Turns alternate: consecutive messages of one side become one. A tool's result is the user's side.
    package static func turns(_ messages: [ChatAPI.Message], isNative: Bool) throws -> [JSON] {
        var turns: [(role: String, blocks: [JSON])] = []
        for message in messages {
            let role = message.role == .assistant ? "assistant" : "user"
            let blocks = try message.parts.compactMap { try block($0, isNative: isNative) }
            if turns.last?.role == role {
                turns[turns.count - 1].blocks += blocks
            } else {
                turns.append((role, blocks))
            }
        }
        return turns.filter { !$0.blocks.isEmpty }.map { ["role": .string($0.role), "content": content($0.role, $0.blocks)] }
    }

    /// Results must come first in a turn. A single plain text is written as a string, which every compatible server takes.
    private static func content(_ role: String, _ blocks: [JSON]) -> JSON {
        if blocks.count == 1, let only = blocks[0].object, only.count == 2, let text = only["text"] { return text }
        guard role == "user" else { return .array(blocks) }
        let isResult: (JSON) -> Bool = { $0["type"]?.string == "tool_result" }
        return .array(blocks.filter(isResult) + blocks.filter { !isResult($0) })
    }

    /// One block; nil for what Anthropic refuses and the model does not need: empty texts, unsigned reasoning.
    private static func block(_ part: ChatAPI.Part, isNative: Bool) throws -> JSON? {
        var object: JSONObject
        switch part.kind {
        case .text, .refusal:
            if part.text.isEmpty { return nil }
            object = ["type": "text", "text": .string(part.text)]
        case .image:
            object = ["type": "image", "source": try source(part)]
        case .toolCall:
            object = [
                "type": "tool_use", "id": .string(part.id ?? ""), "name": .string(part.name ?? ""), "input": try input(part.json),
            ]
        case .toolResult:
            object = try result(part, isNative: isNative)
        case .thinking:
            guard let signature = part.signature, isNative else { return nil }
            object = ["type": "thinking", "thinking": .string(part.text), "signature": .string(signature)]
        case .raw where isNative:
            return try NotExpressible.parse(part.json ?? "null", what: "a content block")
        case .raw, .document, .audio, .unspecified:
            throw NotExpressible.error("A content part of this kind", in: AnthropicRequest.dialect)
        }
        if isNative { try object.merge(part.extraJson, what: "a content block") }
        return .object(object)
    }

    private static func input(_ arguments: String?) throws -> JSON {
        guard let arguments, !arguments.isEmpty else { return [:] }
        let input = try NotExpressible.parse(arguments, what: "the arguments of a tool call")
        guard input.object != nil else {
            throw NotExpressible.error("Tool arguments that are no JSON object", in: AnthropicRequest.dialect)
        }
        return input
    }

    private static func result(_ part: ChatAPI.Part, isNative: Bool) throws -> JSONObject {
        var object: JSONObject = ["type": "tool_result", "tool_use_id": .string(part.id ?? "")]
        if let json = part.json {
            let structured = try NotExpressible.parse(json, what: "a tool result")
            // Lists of text parts look the same in both dialects; anything else of the other one travels as text.
            let fits = isNative || structured.array?.allSatisfy { $0["type"]?.string == "text" } == true
            object.append("content", fits ? structured : .string(structured.string ?? structured.text()))
        } else {
            object.append("content", .string(part.text))
        }
        if part.isError { object.append("is_error", true) }
        return object
    }

    private static func source(_ part: ChatAPI.Part) throws -> JSON {
        guard let url = part.url else {
            return ["type": "base64", "media_type": .string(part.mediaType ?? "image/png"), "data": .string(part.text)]
        }
        guard url.hasPrefix("data:") else { return ["type": "url", "url": .string(url)] }
        guard let comma = url.firstIndex(of: ","), let mark = url.firstRange(of: ";base64"), mark.upperBound == comma else {
            throw NotExpressible.error("An image as a data: URL that is not base64", in: AnthropicRequest.dialect)
        }
        let type = String(url[url.index(url.startIndex, offsetBy: 5) ..< mark.lowerBound])
        return [
            "type": "base64", "media_type": .string(type.isEmpty ? "image/png" : type),
            "data": .string(String(url[url.index(after: comma)...])),
        ]
    }
}
