import BulkheadAPI
import BulkheadJSON

/// OpenAI's messages → canonical.
enum OpenAIMessages {
    private static let known: Set<String> = ["role", "content", "name", "tool_calls", "tool_call_id", "refusal"]
    private static let reasoning: Set<String> = ["reasoning_content", "thinking_blocks"]

    static func decode(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        guard let messages = try fields.list("messages") else { throw fields.missing("messages") }
        if messages.isEmpty { throw fields.wrong("messages", "at least one message") }
        return try messages.map(message)
    }

    private static func message(_ fields: RequestFields) throws -> ChatAPI.Message {
        let role = try role(fields)
        let known = role == .assistant ? known.union(reasoning) : known
        var message = ChatAPI.Message(role: role, name: try fields.string("name"), extraJson: fields.extra(besides: known))
        switch role {
        case .tool: message.parts = [try toolResult(fields)]
        case .assistant: message.parts = try assistant(fields)
        default: message.parts = try content(fields, isRequired: true)
        }
        return message
    }

    private static func role(_ fields: RequestFields) throws -> ChatAPI.Role {
        switch try fields.requiredString("role") {
        case "system": return .system
        case "developer": return .developer
        case "user": return .user
        case "assistant": return .assistant
        case "tool": return .tool
        case "function":
            throw EdgeError(
                .badRequest, code: "unsupported",
                message: "\(fields.param("role")) function is deprecated and not served: send tool results with the role tool.",
                param: fields.param("role"))
        default: throw fields.wrong("role", "one of: system, developer, user, assistant, tool")
        }
    }

    /// Reasoning first: that is where it was made.
    private static func assistant(_ fields: RequestFields) throws -> [ChatAPI.Part] {
        if fields.value("function_call") != nil {
            throw EdgeError(
                .badRequest, code: "unsupported",
                message: "\(fields.param("function_call")) is deprecated and not served: send tool_calls instead.",
                param: fields.param("function_call"))
        }
        var parts = try thinking(fields) + content(fields, isRequired: false)
        if let refusal = try fields.string("refusal") { parts.append(ChatAPI.Part(kind: .refusal, text: refusal)) }
        return try parts + (fields.list("tool_calls")?.flatMap(toolCall) ?? [])
    }

    /// Blocks hold the same text as `reasoning_content`, and signatures.
    private static func thinking(_ fields: RequestFields) throws -> [ChatAPI.Part] {
        if let blocks = try fields.list("thinking_blocks"), !blocks.isEmpty {
            return try blocks.map(thought)
        }
        guard let text = try fields.string("reasoning_content"), !text.isEmpty else { return [] }
        return [ChatAPI.Part(thinking: text, signature: nil)]
    }

    /// These blocks are this program's own: no provider gets them as they are, so there is nowhere to forward other members to.
    private static func thought(_ block: RequestFields) throws -> ChatAPI.Part {
        if try block.requiredString("type") == "redacted_thinking" {
            try block.refuseOthers(besides: ["type", "data", "index", "cache_control"])
            return ChatAPI.Part(thinking: "", signature: try block.requiredString("data"), redacted: true)
        }
        try block.refuseOthers(besides: ["type", "thinking", "signature", "index", "cache_control"])
        return ChatAPI.Part(thinking: try block.requiredString("thinking"), signature: try block.string("signature"))
    }

    private static func content(_ fields: RequestFields, isRequired: Bool) throws -> [ChatAPI.Part] {
        if fields.value("content") == nil, !isRequired { return [] }
        let content = try fields.textOrList("content", "a string or an array of content parts")
        if let text = content.text { return [ChatAPI.Part(kind: .text, text: text)] }
        return try content.list.map(OpenAIContent.part)
    }

    /// Google's compatible servers put the signature of a call's reasoning beside it.
    private static func toolCall(_ fields: RequestFields) throws -> [ChatAPI.Part] {
        guard try fields.string("type") ?? "function" == "function" else {
            // Its id tells it from content.
            return [ChatAPI.Part(kind: .raw, id: try fields.string("id") ?? "", json: fields.text)]
        }
        guard let function = try fields.fields("function") else { throw fields.missing("function") }
        let call = ChatAPI.Part(
            kind: .toolCall, id: try fields.requiredString("id"), name: try function.requiredString("name"),
            json: try function.string("arguments") ?? "{}",
            extraJson: fields.extra(besides: ["id", "type", "index"], inside: ["function": ["name", "arguments"]]))
        guard let signature = fields.value("extra_content")?["google"]?["thought_signature"]?.string else { return [call] }
        return [ChatAPI.Part(kind: .thinking, signature: signature, origin: .gemini), call]
    }

    /// Plain text is joined; parts of other kinds, or with members of their own, stay as they are.
    private static func toolResult(_ fields: RequestFields) throws -> ChatAPI.Part {
        var result = ChatAPI.Part(kind: .toolResult, id: try fields.requiredString("tool_call_id"))
        let parts = try content(fields, isRequired: true)
        if parts.allSatisfy({ $0.kind == .text && $0.extraJson == nil }) {
            result.text = parts.map(\.text).joined()
        } else {
            result.json = fields.value("content")?.text()
        }
        return result
    }
}
