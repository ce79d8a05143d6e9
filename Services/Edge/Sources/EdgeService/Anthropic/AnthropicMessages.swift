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
        if messages.isEmpty { throw fields.wrong("messages", "at least one message") }
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
        let content = try fields.textOrList(name, "a string or an array of content blocks")
        if let text = content.text { return [ChatAPI.Part(kind: .text, text: text)] }
        return try content.list.map(AnthropicContent.part)
    }
}
