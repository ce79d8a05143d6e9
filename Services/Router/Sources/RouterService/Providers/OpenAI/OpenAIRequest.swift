import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `POST /v1/chat/completions`.
package enum OpenAIRequest {
    package static let dialect = "OpenAI chat"
    /// OpenAI takes no more.
    private static let mostStops = 4
    /// Members of other dialects that mean the same here.
    private static let shared: Set<String> = [
        "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    ]

    package static func request(_ intent: ChatIntent, _ target: Target) throws -> UpstreamRequest {
        let body = try body(intent, model: target.model)
        return UpstreamRequest(path: "/v1/chat/completions", body: JSON.object(body).bytes(), expectsStream: true)
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ intent: ChatIntent, model: String) throws -> JSONObject {
        let chat = intent.chat
        let isNative = intent.isNative(.openaiChat)
        var body: JSONObject = ["model": .string(model)]
        body.append("messages", .array(try OpenAIMessages.encode(intent, model: model)))
        try addTools(chat, isNative: isNative, to: &body)
        addSampling(intent, model: model, isNative: isNative, to: &body)
        addLimit(intent, model: model, isNative: isNative, to: &body)
        addReasoning(intent, model: model, isNative: isNative, to: &body)
        try addFormat(intent, isNative: isNative, to: &body)
        body.append("stream", true)
        if isNative {
            body.merge(intent.extra)
        } else {
            try ForeignMembers.check(intent, dialect)
            try intent.checkStops(most: mostStops, dialect)
            addShared(intent, to: &body)
        }
        addUser(intent, isNative: isNative, to: &body)
        addStreamOptions(&body)
        return body
    }

    /// Reasoning models refuse sampling parameters; for a client of another dialect they are wishes.
    private static func addSampling(_ intent: ChatIntent, model: String, isNative: Bool, to body: inout JSONObject) {
        let chat = intent.chat
        if isNative || !ModelFamily.isOpenAIReasoning(model) {
            body.add("temperature", .number(chat.temperature))
            body.add("top_p", .number(chat.topP))
            body.add("presence_penalty", .number(chat.presencePenalty))
            body.add("frequency_penalty", .number(chat.frequencyPenalty))
            body.add("logprobs", .flag(chat.logprobs))
            body.add("top_logprobs", .number(chat.topLogprobs))
        }
        body.add("stop", list: chat.stop.map { .string($0) })
        body.add("seed", .number(chat.seed))
        body.add("n", .number(chat.choices))
    }

    /// `max_tokens` or `max_completion_tokens`: what the client used; for a client of another dialect what the model takes.
    private static func addLimit(_ intent: ChatIntent, model: String, isNative: Bool, to body: inout JSONObject) {
        guard let limit = intent.limit else { return }
        if isNative {
            if intent.extra["max_completion_tokens"]?.int != limit { body.add("max_tokens", .number(limit)) }
        } else {
            let name = ModelFamily.isOpenAIReasoning(model) ? "max_completion_tokens" : "max_tokens"
            body.add(name, .number(limit))
        }
    }

    private static func addReasoning(_ intent: ChatIntent, model: String, isNative: Bool, to body: inout JSONObject) {
        if isNative { return body.add("reasoning_effort", .text(intent.chat.reasoningEffort)) }
        guard !ModelFamily.isOpenAIPlain(model), let effort = intent.reasoning.effortWord else { return }
        body.append("reasoning_effort", .string(effort == "max" ? "high" : effort))
    }

    private static func addFormat(_ intent: ChatIntent, isNative: Bool, to body: inout JSONObject) throws {
        if isNative {
            guard let format = intent.chat.responseFormatJson else { return }
            return body.append("response_format", try NotExpressible.parse(format, what: "response_format"))
        }
        switch intent.format {
        case .text: return
        case .object: body.append("response_format", ["type": "json_object"])
        case .schema(let schema):
            var inner: JSONObject = ["name": .string(schema.name), "schema": schema.schema]
            inner.add("description", .text(schema.description))
            inner.add("strict", .flag(schema.strict))
            body.append("response_format", ["type": "json_schema", "json_schema": .object(inner)])
        case .other(let type): throw NotExpressible.error("An output format of type '\(type.prefix(64))'", in: dialect)
        }
    }

    /// Clients of OpenAI Responses have members of the same names and meanings.
    private static func addShared(_ intent: ChatIntent, to body: inout JSONObject) {
        guard intent.isNative(.openaiResponses) else { return }
        for (name, value) in intent.extra where shared.contains(name) { body[name] = value }
        body.add("verbosity", intent.extra["text"]?["verbosity"])
    }

    private static func addUser(_ intent: ChatIntent, isNative: Bool, to body: inout JSONObject) {
        guard let user = isNative ? intent.chat.endUser : intent.endUser, body["user"] == nil, body["safety_identifier"] == nil
        else { return }
        body.append("user", .string(user))
    }

    /// Usage is always asked for: cost and limits need it. Edge shows it to the client only if it asked.
    private static func addStreamOptions(_ body: inout JSONObject) {
        var options = body["stream_options"]?.object ?? [:]
        options["include_usage"] = true
        body["stream_options"] = .object(options)
    }

    private static func addTools(_ chat: ChatAPI.ChatRequest, isNative: Bool, to body: inout JSONObject) throws {
        body.add("tools", list: try chat.tools.map { try tool($0, isNative: isNative) })
        switch chat.toolMode {
        case .unspecified: break
        case .auto: body.append("tool_choice", "auto")
        case .none: body.append("tool_choice", "none")
        case .required: body.append("tool_choice", "required")
        case .named:
            body.append("tool_choice", ["type": "function", "function": ["name": .string(chat.toolName ?? "")]])
        }
        if !chat.tools.isEmpty { body.add("parallel_tool_calls", .flag(chat.parallelToolCalls)) }
    }

    private static func tool(_ tool: ChatAPI.Tool, isNative: Bool) throws -> JSON {
        if let raw = tool.rawJson {
            guard isNative else { throw NotExpressible.kind(raw, "tool", in: dialect) }
            return try NotExpressible.parse(raw, what: "a tool")
        }
        if !isNative { try ToolSyntax.check(tool.name, longest: 64, dialect) }
        var function: JSONObject = ["name": .string(tool.name)]
        function.add("description", .text(tool.description))
        if !tool.schemaJson.isEmpty { function.append("parameters", try NotExpressible.schema(tool.schemaJson, of: tool.name)) }
        function.add("strict", .flag(tool.strict))
        var object: JSONObject = ["type": "function", "function": .object(function)]
        if isNative { try object.merge(tool.extraJson, what: "the tool '\(tool.name)'") }
        return .object(object)
    }
}
