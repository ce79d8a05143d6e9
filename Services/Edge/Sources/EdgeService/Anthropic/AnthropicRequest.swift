import BulkheadAPI
import BulkheadJSON

/// Anthropic's Messages request → canonical. Source: Anthropic API reference, "Messages".
enum AnthropicRequest {
    /// Members that have a place in the canonical form, or are edge's. `thinking` and `output_config` have one and are forwarded
    /// too: they hold more than the canonical form does.
    private static let known: Set<String> = [
        "model", "messages", "max_tokens", "system", "tools", "tool_choice", "temperature", "top_p", "top_k", "stop_sequences",
        "metadata", "stream", "bulkhead",
    ]

    /// - Parameter counts: only the tokens are to be counted, for which `max_tokens` is not needed.
    static func decode(_ body: JSON, counts: Bool = false) throws -> ChatCall {
        let fields = try RequestFields(body: body)
        var chat = ChatAPI.ChatRequest(dialect: .anthropicMessages)
        chat.model = try fields.requiredString("model")
        if chat.model.isEmpty { throw fields.wrong("model", "the name of a model") }
        chat.maxTokens = try fields.int("max_tokens", in: 1 ... .max)
        if chat.maxTokens == nil, !counts { throw fields.missing("max_tokens") }
        chat.messages = try AnthropicMessages.system(fields) + AnthropicMessages.decode(fields)
        chat.tools = try fields.list("tools")?.map(tool) ?? []
        var extra = fields.rest(besides: known)
        if let other = try readToolChoice(fields, into: &chat) { extra["tool_choice"] = other }
        chat.temperature = try fields.double("temperature")
        chat.topP = try fields.double("top_p")
        chat.topK = try fields.int("top_k", in: 0 ... .max)
        chat.stop = try fields.strings("stop_sequences") ?? []
        try readReasoning(fields, into: &chat)
        chat.stream = try fields.bool("stream") ?? false
        let metadata = try fields.fields("metadata")
        chat.endUser = try metadata?.string("user_id")
        if let metadata, !metadata.rest(besides: ["user_id"]).isEmpty { extra["metadata"] = .object(metadata.object) }
        chat.extraJson = extra.isEmpty ? nil : JSON.object(extra).text()
        return ChatCall(chat: chat, options: try BulkheadOptions(fields))
    }

    private static func readReasoning(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        if let thinking = try fields.fields("thinking") {
            switch try thinking.requiredString("type") {
            case "disabled": chat.reasoningBudget = 0
            case "enabled":
                guard let budget = try thinking.int("budget_tokens", in: 1 ... .max) else {
                    throw thinking.missing("budget_tokens")
                }
                chat.reasoningBudget = budget
            // The model decides (`adaptive`): other dialects have nothing to be told.
            default: break
            }
            if chat.reasoningBudget != 0 { chat.reasoningSummary = "full" }
        }
        guard let output = try fields.fields("output_config") else { return }
        chat.reasoningEffort = try output.string("effort")
        if let format = try output.fields("format"), try format.requiredString("type") == "json_schema",
            let schema = try format.fields("schema")
        {
            let named: JSONObject = ["name": "answer", "schema": .object(schema.object)]
            chat.responseFormatJson = JSON.object(["type": "json_schema", "json_schema": .object(named)]).text()
        }
    }

    /// Tools the client runs have no type, or `custom`; those the provider runs are forwarded as they are.
    private static func tool(_ fields: RequestFields) throws -> ChatAPI.Tool {
        if let type = try fields.string("type"), type != "custom" {
            return ChatAPI.Tool(rawJson: fields.text)
        }
        guard let schema = try fields.fields("input_schema") else { throw fields.missing("input_schema") }
        return ChatAPI.Tool(
            name: try fields.requiredString("name"), description: try fields.string("description"), schemaJson: schema.text,
            strict: try fields.bool("strict"),
            extraJson: fields.extra(besides: ["type", "name", "description", "input_schema", "strict"]))
    }

    /// - Returns: a choice with members the canonical form does not model.
    private static func readToolChoice(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws -> JSON? {
        guard let choice = try fields.fields("tool_choice") else { return nil }
        var (mode, name) = (ChatAPI.ToolMode.auto, String?.none)
        switch try choice.requiredString("type") {
        case "auto": mode = .auto
        case "none": mode = .none
        case "any": mode = .required
        case "tool": (mode, name) = (.named, try choice.requiredString("name"))
        default: throw choice.wrong("type", "one of: auto, any, tool, none")
        }
        let parallel = try choice.bool("disable_parallel_tool_use").map { !$0 }
        let known: Set = ["type", "disable_parallel_tool_use"]
        if choice.extra(besides: mode == .named ? known.union(["name"]) : known) != nil { return fields.value("tool_choice") }
        (chat.toolMode, chat.toolName, chat.parallelToolCalls) = (mode, name, parallel)
        return nil
    }
}
