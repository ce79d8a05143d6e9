import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `POST /v1/responses`, without state at the provider: the whole conversation travels as
/// input items, and reasoning comes and goes encrypted.
package enum ResponsesRequest {
    package static let dialect = "OpenAI Responses"
    private static let encrypted: JSON = "reasoning.encrypted_content"
    private static let logprobs: JSON = "message.output_text.logprobs"
    /// Members of chat completions that mean the same here.
    private static let shared: Set<String> = [
        "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    ]

    package static func request(_ intent: ChatIntent, _ target: Target) throws -> UpstreamRequest {
        let body = try body(intent, model: target.model)
        return UpstreamRequest(path: "/v1/responses", body: JSON.object(body).bytes(), expectsStream: true)
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ intent: ChatIntent, model: String) throws -> JSONObject {
        let chat = intent.chat
        let isNative = intent.isNative(.openaiResponses)
        try intent.checkSingle(dialect)
        try intent.checkStops(most: 0, dialect)
        var body: JSONObject = ["model": .string(model)]
        body.append("input", .array(try ResponsesInput.items(intent)))
        try addTools(chat, isNative: isNative, to: &body)
        if isNative || !ModelFamily.isOpenAIReasoning(model) {
            body.add("temperature", .number(chat.temperature))
            body.add("top_p", .number(chat.topP))
        }
        body.add("max_output_tokens", .number(intent.limit))
        body.add("top_logprobs", .number(chat.topLogprobs))
        body.append("stream", true)
        if isNative {
            body.merge(intent.extra)
        } else {
            try ForeignMembers.check(intent, dialect)
            if intent.isNative(.openaiChat) {
                for (name, value) in intent.extra where shared.contains(name) { body[name] = value }
            }
        }
        if body["store"] == nil || !isNative { body["store"] = false }
        addReasoning(intent, model: model, isNative: isNative, to: &body)
        try addText(intent, isNative: isNative, to: &body)
        addIncludes(intent, model: model, isNative: isNative, to: &body)
        if let user = isNative ? chat.endUser : intent.endUser, body["user"] == nil, body["safety_identifier"] == nil {
            body.append("safety_identifier", .string(user))
        }
        return body
    }

    /// What a client of this dialect wrote itself stays as it is.
    private static func addReasoning(_ intent: ChatIntent, model: String, isNative: Bool, to body: inout JSONObject) {
        var reasoning = body["reasoning"]?.object ?? [:]
        if isNative || !ModelFamily.isOpenAIPlain(model) {
            let effort = isNative ? intent.chat.reasoningEffort : intent.reasoning.effortWord.map { $0 == "max" ? "xhigh" : $0 }
            if reasoning["effort"] == nil { reasoning.add("effort", .text(effort)) }
            let summary = isNative ? intent.chat.reasoningSummary : intent.reasoning.summary
            if reasoning["summary"] == nil { reasoning.add("summary", .text(summary.map { $0 == "full" ? "detailed" : $0 })) }
        }
        if !reasoning.isEmpty { body["reasoning"] = .object(reasoning) }
    }

    private static func addText(_ intent: ChatIntent, isNative: Bool, to body: inout JSONObject) throws {
        var text = body["text"]?.object ?? [:]
        if text["format"] == nil { text.add("format", try format(intent, isNative: isNative)) }
        if intent.isNative(.openaiChat), text["verbosity"] == nil { text.add("verbosity", intent.extra["verbosity"]) }
        if !text.isEmpty { body["text"] = .object(text) }
    }

    private static func format(_ intent: ChatIntent, isNative: Bool) throws -> JSON? {
        switch intent.format {
        case .text: return nil
        case .object: return ["type": "json_object"]
        case .schema(let schema):
            var format: JSONObject = ["type": "json_schema", "name": .string(schema.name), "schema": schema.schema]
            format.add("description", .text(schema.description))
            // Left out, it would be taken as true.
            format.append("strict", .bool(schema.strict ?? false))
            return .object(format)
        case .other(let type):
            throw NotExpressible.error("An output format of type '\(type.prefix(64))'", in: dialect)
        }
    }

    /// Models that do not reason refuse to be asked for encrypted reasoning.
    private static func addIncludes(_ intent: ChatIntent, model: String, isNative: Bool, to body: inout JSONObject) {
        var includes = body["include"]?.array ?? []
        if !isNative, ModelFamily.isOpenAIReasoning(model) || intent.reasoning.effortWord != nil,
            !ModelFamily.isOpenAIPlain(model),
            !includes.contains(encrypted)
        {
            includes.append(encrypted)
        }
        if intent.chat.logprobs == true, !includes.contains(logprobs) { includes.append(logprobs) }
        if !includes.isEmpty { body["include"] = .array(includes) }
    }

    private static func addTools(_ chat: ChatAPI.ChatRequest, isNative: Bool, to body: inout JSONObject) throws {
        body.add("tools", list: try chat.tools.map { try tool($0, isNative: isNative) })
        switch chat.toolMode {
        case .unspecified: break
        case .auto: body.append("tool_choice", "auto")
        case .none: body.append("tool_choice", "none")
        case .required: body.append("tool_choice", "required")
        case .named: body.append("tool_choice", ["type": "function", "name": .string(chat.toolName ?? "")])
        }
        if !chat.tools.isEmpty { body.add("parallel_tool_calls", .flag(chat.parallelToolCalls)) }
    }

    private static func tool(_ tool: ChatAPI.Tool, isNative: Bool) throws -> JSON {
        if let raw = tool.rawJson {
            guard isNative else { throw NotExpressible.kind(raw, "tool", in: dialect) }
            return try NotExpressible.parse(raw, what: "a tool")
        }
        if !isNative { try ToolSyntax.check(tool.name, longest: 64, dialect) }
        var object: JSONObject = ["type": "function", "name": .string(tool.name)]
        object.add("description", .text(tool.description))
        object.append("parameters", try NotExpressible.schema(tool.schemaJson, of: tool.name))
        // Left out, it would be taken as true; a client of this dialect may mean that.
        if let strict = tool.strict {
            object.append("strict", .bool(strict))
        } else if !isNative {
            object.append("strict", false)
        }
        if isNative { try object.merge(tool.extraJson, what: "the tool '\(tool.name)'") }
        return .object(object)
    }
}
