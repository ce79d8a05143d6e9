import BulkheadAPI
import BulkheadJSON

/// Anthropic's system prompt and turns → canonical. Results of tools, which stand in user turns there, become messages of the
/// role tool; their order is kept.
enum AnthropicMessages {
    static func system(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        guard fields.value("system") != nil else { return [] }
        return [ChatAPI.Message(role: .system, parts: try parts(fields, "system", role: .system))]
    }

    static func decode(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        guard let messages = try fields.list("messages") else { throw fields.missing("messages") }
        if messages.isEmpty { throw EdgeError.field("messages", "messages must have at least one message.") }
        return try messages.flatMap(turn)
    }

    private static func turn(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        let role: ChatAPI.Role =
            switch try fields.requiredString("role") {
            case "user": .user
            case "assistant": .assistant
            case "system": .system
            default: throw fields.wrong("role", "one of: user, assistant")
            }
        guard fields.value("content") != nil else { throw fields.missing("content") }
        let extra = fields.extra(besides: ["role", "content"])
        var messages: [ChatAPI.Message] = []
        for part in try parts(fields, "content", role: role) {
            let partRole = part.kind == .toolResult ? .tool : role
            if messages.last?.role == partRole {
                messages[messages.count - 1].parts.append(part)
            } else {
                messages.append(ChatAPI.Message(role: partRole, parts: [part], extraJson: extra))
            }
        }
        return messages.isEmpty ? [ChatAPI.Message(role: role, extraJson: extra)] : messages
    }

    private static func parts(_ fields: RequestFields, _ name: String, role: ChatAPI.Role) throws -> [ChatAPI.Part] {
        if let text = fields.value(name)?.string { return [ChatAPI.Part(kind: .text, text: text)] }
        guard let blocks = try? fields.list(name) else { throw fields.wrong(name, "a string or an array of content blocks") }
        return try blocks.map(part)
    }

    private static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "text":
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"), extraJson: fields.extra(besides: ["type", "text"]))
        case "image": return try image(fields)
        case "tool_use":
            guard let input = try fields.fields("input") else { throw fields.missing("input") }
            return ChatAPI.Part(
                kind: .toolCall, id: try fields.requiredString("id"), name: try fields.requiredString("name"),
                json: JSON.object(input.object).text(), extraJson: fields.extra(besides: ["type", "id", "name", "input"]))
        case "tool_result": return try toolResult(fields)
        case "thinking":
            return ChatAPI.Part(
                kind: .thinking, text: try fields.requiredString("thinking"), signature: try fields.string("signature"),
                extraJson: fields.extra(besides: ["type", "thinking", "signature"]))
        default: return ChatAPI.Part(kind: .raw, json: JSON.object(fields.object).text())
        }
    }

    private static func image(_ fields: RequestFields) throws -> ChatAPI.Part {
        guard let source = try fields.fields("source") else { throw fields.missing("source") }
        let extra = fields.extra(besides: ["type", "source"])
        switch try source.requiredString("type") {
        case "base64":
            return ChatAPI.Part(
                kind: .image, text: try source.requiredString("data"), mediaType: try source.requiredString("media_type"),
                extraJson: extra)
        case "url": return ChatAPI.Part(kind: .image, url: try source.requiredString("url"), extraJson: extra)
        default: return ChatAPI.Part(kind: .raw, json: JSON.object(fields.object).text())
        }
    }

    /// Text stays text; blocks that are only text are joined; anything else is passed on as JSON.
    private static func toolResult(_ fields: RequestFields) throws -> ChatAPI.Part {
        var part = ChatAPI.Part(
            kind: .toolResult, id: try fields.requiredString("tool_use_id"), isError: try fields.bool("is_error") ?? false,
            extraJson: fields.extra(besides: ["type", "tool_use_id", "content", "is_error"]))
        guard let content = fields.value("content") else { return part }
        if let text = content.string {
            part.text = text
        } else if let blocks = try fields.list("content") {
            let texts = blocks.compactMap {
                $0.object.count == 2 && $0.object["type"] == "text" ? $0.object["text"]?.string : nil
            }
            if texts.count == blocks.count { part.text = texts.joined(separator: "\n") } else { part.json = content.text() }
        }
        return part
    }
}
