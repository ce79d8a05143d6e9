import BulkheadAPI
import BulkheadJSON

/// OpenAI's messages → canonical.
enum OpenAIMessages {
    private static let known: Set<String> = ["role", "content", "name", "tool_calls", "tool_call_id", "refusal"]

    static func decode(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        guard let messages = try fields.list("messages") else { throw fields.missing("messages") }
        if messages.isEmpty { throw EdgeError.field("messages", "messages must have at least one message.") }
        return try messages.map(message)
    }

    private static func message(_ fields: RequestFields) throws -> ChatAPI.Message {
        let role = try role(fields)
        var message = ChatAPI.Message(role: role, name: try fields.string("name"), extraJson: fields.extra(besides: known))
        switch role {
        case .tool: message.parts = [try toolResult(fields)]
        case .assistant:
            message.parts = try content(fields, isRequired: false)
            if let refusal = try fields.string("refusal") { message.parts.append(ChatAPI.Part(kind: .refusal, text: refusal)) }
            message.parts += try fields.list("tool_calls")?.map(toolCall) ?? []
        default: message.parts = try content(fields, isRequired: true)
        }
        return message
    }

    private static func role(_ fields: RequestFields) throws -> ChatAPI.Role {
        switch try fields.requiredString("role") {
        case "system": .system
        case "developer": .developer
        case "user": .user
        case "assistant": .assistant
        case "tool": .tool
        default: throw fields.wrong("role", "one of: system, developer, user, assistant, tool")
        }
    }

    private static func content(_ fields: RequestFields, isRequired: Bool) throws -> [ChatAPI.Part] {
        guard let content = fields.value("content") else {
            if isRequired { throw fields.missing("content") }
            return []
        }
        if let text = content.string { return [ChatAPI.Part(kind: .text, text: text)] }
        guard let parts = try? fields.list("content") else {
            throw fields.wrong("content", "a string or an array of content parts")
        }
        return try parts.map(part)
    }

    private static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "text":
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"), extraJson: fields.extra(besides: ["type", "text"]))
        case "refusal":
            return ChatAPI.Part(kind: .refusal, text: try fields.requiredString("refusal"))
        case "image_url":
            guard let image = try fields.fields("image_url") else { throw fields.missing("image_url") }
            return ChatAPI.Part(kind: .image, url: try image.requiredString("url"), extraJson: image.extra(besides: ["url"]))
        default:
            return ChatAPI.Part(kind: .raw, json: JSON.object(fields.object).text())
        }
    }

    private static func toolCall(_ fields: RequestFields) throws -> ChatAPI.Part {
        guard try fields.string("type") ?? "function" == "function" else {
            return ChatAPI.Part(kind: .raw, json: JSON.object(fields.object).text())
        }
        guard let function = try fields.fields("function") else { throw fields.missing("function") }
        return ChatAPI.Part(
            kind: .toolCall, id: try fields.requiredString("id"), name: try function.requiredString("name"),
            json: try function.string("arguments") ?? "{}")
    }

    private static func toolResult(_ fields: RequestFields) throws -> ChatAPI.Part {
        let texts = try content(fields, isRequired: true)
        guard texts.allSatisfy({ $0.kind == .text }) else {
            throw fields.wrong("content", "text: results of tools hold nothing else")
        }
        return ChatAPI.Part(kind: .toolResult, text: texts.map(\.text).joined(), id: try fields.requiredString("tool_call_id"))
    }
}
