import BulkheadAPI
import BulkheadJSON

/// Anthropic's Messages request → canonical. Source: Anthropic API reference, "Messages".
enum AnthropicRequest {
    private static let known: Set<String> = [
        "model", "messages", "max_tokens", "system", "tools", "tool_choice", "temperature", "top_p", "top_k", "stop_sequences",
        "metadata",
        "stream", "bulkhead",
    ]

    static func decode(_ body: JSON) throws -> ChatCall {
        let fields = try RequestFields(body: body)
        var chat = ChatAPI.ChatRequest(dialect: .anthropicMessages)
        chat.model = try fields.requiredString("model")
        if chat.model.isEmpty { throw fields.wrong("model", "the name of a model") }
        guard let most = try fields.int("max_tokens", in: 1 ... .max) else { throw fields.missing("max_tokens") }
        chat.maxTokens = most
        chat.messages = try AnthropicMessages.system(fields) + AnthropicMessages.decode(fields)
        chat.tools = try fields.list("tools")?.map(tool) ?? []
        try readToolChoice(fields, into: &chat)
        chat.temperature = try fields.double("temperature")
        chat.topP = try fields.double("top_p")
        chat.topK = try fields.int("top_k", in: 0 ... .max)
        chat.stop = try fields.strings("stop_sequences") ?? []
        chat.endUser = try fields.fields("metadata")?.string("user_id")
        chat.stream = try fields.bool("stream") ?? false
        chat.extraJson = fields.extra(besides: known)
        return ChatCall(chat: chat, options: try BulkheadOptions(fields))
    }

    /// Tools the client runs have no type, or `custom`; those the provider runs are forwarded as they are.
    private static func tool(_ fields: RequestFields) throws -> ChatAPI.Tool {
        if let type = try fields.string("type"), type != "custom" {
            return ChatAPI.Tool(rawJson: JSON.object(fields.object).text())
        }
        guard let schema = try fields.fields("input_schema") else { throw fields.missing("input_schema") }
        return ChatAPI.Tool(
            name: try fields.requiredString("name"), description: try fields.string("description"),
            schemaJson: JSON.object(schema.object).text(), strict: try fields.bool("strict"),
            extraJson: fields.extra(besides: ["type", "name", "description", "input_schema", "strict"]))
    }

    private static func readToolChoice(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        guard let choice = try fields.fields("tool_choice") else { return }
        switch try choice.requiredString("type") {
        case "auto": chat.toolMode = .auto
        case "none": chat.toolMode = .none
        case "any": chat.toolMode = .required
        case "tool":
            chat.toolMode = .named
            chat.toolName = try choice.requiredString("name")
        default: throw choice.wrong("type", "one of: auto, any, tool, none")
        }
        chat.parallelToolCalls = try choice.bool("disable_parallel_tool_use").map { !$0 }
    }
}
