import BulkheadAPI
import BulkheadJSON

/// Canonical messages as members of OpenAI's `messages`.
package enum OpenAIMessages {
    private static let dialect = "OpenAI chat"

    /// One message becomes several when it holds tool results: each of them is a message of its own, before the rest.
    package static func encode(_ message: ChatAPI.Message, isNative: Bool) throws -> [JSON] {
        var encoded = try message.parts.filter { $0.kind == .toolResult }.map { try toolResult($0, message, isNative: isNative) }
        let rest = message.parts.filter { $0.kind != .toolResult }
        guard encoded.isEmpty || !rest.isEmpty else { return encoded }
        var object: JSONObject = ["role": .string(role(message.role))]
        if message.role == .assistant {
            try addAssistant(rest, isNative: isNative, to: &object)
        } else {
            object.append("content", try content(rest, isNative: isNative))
        }
        object.add("name", .text(message.name))
        if isNative { try object.merge(message.extraJson, what: "a message") }
        encoded.append(.object(object))
        return encoded
    }

    private static func role(_ role: ChatAPI.Role) -> String {
        switch role {
        case .system: "system"
        case .developer: "developer"
        case .assistant: "assistant"
        case .tool: "tool"
        case .user, .unspecified: "user"
        }
    }

    private static func toolResult(_ part: ChatAPI.Part, _ message: ChatAPI.Message, isNative: Bool) throws -> JSON {
        var object: JSONObject = ["role": "tool", "tool_call_id": .string(part.id ?? "")]
        if let json = part.json {
            let structured = try NotExpressible.parse(json, what: "a tool result")
            object.append("content", isNative ? structured : .string(text(of: structured)))
        } else {
            object.append("content", .string(part.text))
        }
        if isNative, message.role == .tool { try object.merge(message.extraJson, what: "a message") }
        return .object(object)
    }

    /// The text of a list of content blocks; anything else as JSON, so that nothing the tool said is lost.
    private static func text(of json: JSON) -> String {
        guard let blocks = json.array else { return json.string ?? json.text() }
        let texts = blocks.compactMap { $0["text"]?.string }
        return texts.count == blocks.count ? texts.joined(separator: "\n") : json.text()
    }

    /// Reasoning is left out: chat completions have no member for it, and the model made it for itself.
    private static func addAssistant(_ parts: [ChatAPI.Part], isNative: Bool, to object: inout JSONObject) throws {
        let calls = try parts.compactMap { try toolCall($0, isNative: isNative) }
        let refusals = parts.filter { $0.kind == .refusal }
        let rest = parts.filter { ![.toolCall, .refusal, .thinking, .raw].contains($0.kind) }
        if !rest.isEmpty {
            object.append("content", try content(rest, isNative: isNative))
        } else {
            object.append("content", calls.isEmpty && refusals.isEmpty ? "" : .null)
        }
        if !refusals.isEmpty { object.append("refusal", .string(refusals.map(\.text).joined())) }
        if !calls.isEmpty { object.append("tool_calls", .array(calls)) }
    }

    /// nil for parts that are no call. What an assistant did that the canonical form does not model is a call of another kind.
    private static func toolCall(_ part: ChatAPI.Part, isNative: Bool) throws -> JSON? {
        switch part.kind {
        case .raw:
            guard isNative else { throw NotExpressible.error("A content part of this kind", in: dialect) }
            return try NotExpressible.parse(part.json ?? "null", what: "a tool call")
        case .toolCall:
            var call: JSONObject = [
                "id": .string(part.id ?? ""), "type": "function",
                "function": ["name": .string(part.name ?? ""), "arguments": .string(part.json ?? "{}")],
            ]
            if isNative { try call.merge(part.extraJson, what: "a tool call") }
            return .object(call)
        default:
            return nil
        }
    }

    /// A string for one plain text, else a list of parts.
    private static func content(_ parts: [ChatAPI.Part], isNative: Bool) throws -> JSON {
        if parts.isEmpty { return "" }
        if parts.count == 1, parts[0].kind == .text, !isNative || parts[0].extraJson == nil { return .string(parts[0].text) }
        return .array(try parts.filter { $0.kind != .thinking }.map { try part($0, isNative: isNative) })
    }

    private static func part(_ part: ChatAPI.Part, isNative: Bool) throws -> JSON {
        var object: JSONObject
        switch part.kind {
        case .text:
            object = ["type": "text", "text": .string(part.text)]
        case .image:
            let url = part.url ?? "data:\(part.mediaType ?? "image/png");base64,\(part.text)"
            return .object(try image(url, part, isNative: isNative))
        case .refusal:
            object = ["type": "refusal", "refusal": .string(part.text)]
        case .raw where isNative:
            return try NotExpressible.parse(part.json ?? "null", what: "a content part")
        default:
            throw NotExpressible.error("A content part of this kind", in: dialect)
        }
        if isNative { try object.merge(part.extraJson, what: "a content part") }
        return .object(object)
    }

    /// Members beside the URL (`detail`) stand inside `image_url`.
    private static func image(_ url: String, _ part: ChatAPI.Part, isNative: Bool) throws -> JSONObject {
        var inner: JSONObject = ["url": .string(url)]
        if isNative { try inner.merge(part.extraJson, what: "an image") }
        return ["type": "image_url", "image_url": .object(inner)]
    }
}
