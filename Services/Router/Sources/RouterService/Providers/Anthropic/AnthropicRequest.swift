import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `POST /v1/messages`.
///
/// Sampling parameters that Anthropic does not have (seed, penalties, logprobs, reasoning_effort) are left out: they are
/// wishes about how the answer is made. What changes the answer's form (n, JSON mode, foreign parts and tools) is refused.
package enum AnthropicRequest {
    package static let dialect = "Anthropic Messages"

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ chat: ChatAPI.ChatRequest, model: String, defaultMaxTokens: Int) throws -> JSONObject {
        let isNative = chat.dialect == .anthropicMessages
        if let choices = chat.choices, choices > 1 { throw NotExpressible.error("n=\(choices)", in: dialect) }
        var body: JSONObject = ["model": .string(model)]
        body.append("max_tokens", .int(Int64(try limit(chat) ?? defaultMaxTokens)))
        let system = chat.messages.filter { $0.role == .system || $0.role == .developer }
        body.add("system", try AnthropicMessages.system(system, isNative: isNative))
        let turns = chat.messages.filter { $0.role != .system && $0.role != .developer }
        body.append("messages", .array(try AnthropicMessages.turns(turns, isNative: isNative)))
        try addTools(chat, isNative: isNative, to: &body)
        body.add("temperature", .number(chat.temperature))
        body.add("top_p", .number(chat.topP))
        body.add("top_k", .number(chat.topK))
        if !chat.stop.isEmpty { body.append("stop_sequences", .array(chat.stop.map { .string($0) })) }
        if let format = chat.responseFormatJson, !isNative { try addFormat(format, to: &body) }
        if chat.stream { body.append("stream", true) }
        if isNative { try body.merge(chat.extraJson, what: "the request") }
        if let user = chat.endUser, body["metadata"] == nil { body.append("metadata", ["user_id": .string(user)]) }
        return body
    }

    /// OpenAI clients may have written the limit as `max_completion_tokens`.
    private static func limit(_ chat: ChatAPI.ChatRequest) throws -> Int? {
        if let limit = chat.maxTokens { return limit }
        guard chat.dialect == .openaiChat, let extra = chat.extraJson, extra.contains("max_completion_tokens") else { return nil }
        return try NotExpressible.parse(extra, what: "the request")["max_completion_tokens"]?.int
    }

    private static func addFormat(_ text: String, to body: inout JSONObject) throws {
        let format = try NotExpressible.parse(text, what: "response_format")
        switch format["type"]?.string {
        case "text", nil: return
        case "json_schema":
            guard let schema = format["json_schema"]?["schema"] else { return }
            body.append("output_config", ["format": ["type": "json_schema", "schema": schema]])
        case .some(let type):
            throw NotExpressible.error("response_format of type '\(type)'", in: dialect)
        }
    }

    private static func addTools(_ chat: ChatAPI.ChatRequest, isNative: Bool, to body: inout JSONObject) throws {
        guard !chat.tools.isEmpty else { return }
        body.append("tools", .array(try chat.tools.map { try tool($0, isNative: isNative) }))
        guard var choice = choice(chat) else { return }
        if let parallel = chat.parallelToolCalls, chat.toolMode != .none {
            choice.append("disable_parallel_tool_use", .bool(!parallel))
        }
        body.append("tool_choice", .object(choice))
    }

    private static func choice(_ chat: ChatAPI.ChatRequest) -> JSONObject? {
        switch chat.toolMode {
        case .unspecified: chat.parallelToolCalls == false ? ["type": "auto"] : nil
        case .auto: ["type": "auto"]
        case .none: ["type": "none"]
        case .required: ["type": "any"]
        case .named: ["type": "tool", "name": .string(chat.toolName ?? "")]
        }
    }

    private static func tool(_ tool: ChatAPI.Tool, isNative: Bool) throws -> JSON {
        if let raw = tool.rawJson {
            guard isNative else { throw NotExpressible.error("A tool that is not a function", in: dialect) }
            return try NotExpressible.parse(raw, what: "a tool")
        }
        var object: JSONObject = ["name": .string(tool.name)]
        object.add("description", .text(tool.description))
        let schema = tool.schemaJson.isEmpty ? #"{"type":"object","properties":{}}"# : tool.schemaJson
        object.append("input_schema", try NotExpressible.parse(schema, what: "the schema of the tool '\(tool.name)'"))
        if isNative {
            object.add("strict", .flag(tool.strict))
            try object.merge(tool.extraJson, what: "the tool '\(tool.name)'")
        }
        return .object(object)
    }
}
