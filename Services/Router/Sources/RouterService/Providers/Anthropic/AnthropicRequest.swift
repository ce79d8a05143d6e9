import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `POST /v1/messages`.
///
/// Sampling parameters that Anthropic does not have (seed, penalties) are left out: they are wishes about how the answer is made.
/// What changes the answer's form (n, logprobs, JSON mode, foreign parts and tools) is refused.
package enum AnthropicRequest {
    package static let dialect = "Anthropic Messages"
    /// The version of the interface that everything here is written for.
    private static let version = "2023-06-01"
    /// Temperatures above are refused.
    private static let hottest = 1.0

    package static func request(_ intent: ChatIntent, _ target: Target, defaultMaxTokens: Int) throws -> UpstreamRequest {
        let isNative = intent.isNative(.anthropicMessages)
        let version = isNative ? intent.chat.anthropicVersion ?? version : version
        var headers: [CredentialsAPI.Header] = [.init(name: "anthropic-version", value: version)]
        if isNative, let beta = intent.chat.anthropicBeta, !beta.isEmpty {
            headers.append(.init(name: "anthropic-beta", value: beta))
        }
        let body = try body(intent, model: target.model, defaultMaxTokens: defaultMaxTokens)
        return UpstreamRequest(path: "/v1/messages", headers: headers, body: JSON.object(body).bytes(), expectsStream: true)
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ intent: ChatIntent, model: String, defaultMaxTokens: Int) throws -> JSONObject {
        let chat = intent.chat
        let isNative = intent.isNative(.anthropicMessages)
        try intent.checkSingle(dialect)
        try intent.checkLogprobs(dialect)
        let messages = AnthropicMessages(intent)
        let thinking = isNative ? nil : ClaudeThinking(intent, model: model)
        var body: JSONObject = ["model": .string(model)]
        let limit = intent.limit ?? (defaultMaxTokens + (thinking?.budget ?? 0))
        body.append("max_tokens", .int(Int64(limit)))
        body.add("system", try messages.system())
        body.append("messages", .array(try messages.turns()))
        try addTools(chat, model: model, isNative: isNative, to: &body)
        addSampling(chat, model: model, isNative: isNative, thinks: thinking?.isOn ?? false, to: &body)
        body.add("stop_sequences", list: chat.stop.map { .string($0) })
        if let tier = isNative ? intent.extra["service_tier"] : nil { body.append("service_tier", tier) }
        body.append("stream", true)
        if isNative {
            body.merge(intent.extra)
        } else {
            try ForeignMembers.check(intent, dialect)
        }
        try addOutput(intent, thinking, isNative: isNative, to: &body)
        if let user = chat.endUser, body["metadata"] == nil { body.append("metadata", ["user_id": .string(user)]) }
        return body
    }

    /// For clients of other dialects: a temperature above 1 is cut, and what reasoning or newer models refuse is left out.
    private static func addSampling(
        _ chat: ChatAPI.ChatRequest, model: String, isNative: Bool, thinks: Bool, to body: inout JSONObject
    ) {
        guard !isNative else {
            body.add("temperature", .number(chat.temperature))
            body.add("top_p", .number(chat.topP))
            return body.add("top_k", .number(chat.topK))
        }
        if thinks { return }
        body.add("temperature", .number(chat.temperature.map { min($0, hottest) }))
        // Claude 4.1 and later take one of the two only.
        let takesBoth = ModelFamily.claudeVersion(model).map { $0 < 401 } ?? !ModelFamily.isClaude(model)
        if chat.temperature == nil || takesBoth { body.add("top_p", .number(chat.topP)) }
        body.add("top_k", .number(chat.topK))
    }

    /// Reasoning and the form of the answer. What a client of this dialect wrote itself stays as it is.
    private static func addOutput(
        _ intent: ChatIntent, _ thinking: ClaudeThinking?, isNative: Bool, to body: inout JSONObject
    ) throws {
        if isNative {
            if body["thinking"] == nil, let budget = intent.chat.reasoningBudget {
                body.append(
                    "thinking", budget <= 0 ? ["type": "disabled"] : ["type": "enabled", "budget_tokens": .int(Int64(budget))])
            }
        } else {
            body.add("thinking", thinking?.json)
        }
        var output = body["output_config"]?.object ?? [:]
        if output["format"] == nil, body["output_format"] == nil, let schema = try intent.format.schemaOnly(dialect) {
            output.append("format", ["type": "json_schema", "schema": schema.schema])
        }
        let effort = isNative ? intent.chat.reasoningEffort : thinking?.effort
        if output["effort"] == nil { output.add("effort", .text(effort)) }
        if !output.isEmpty { body["output_config"] = .object(output) }
    }

    private static func addTools(
        _ chat: ChatAPI.ChatRequest, model: String, isNative: Bool, to body: inout JSONObject
    ) throws {
        guard !chat.tools.isEmpty else { return }
        body.append("tools", .array(try chat.tools.map { try tool($0, model: model, isNative: isNative) }))
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

    private static func tool(_ tool: ChatAPI.Tool, model: String, isNative: Bool) throws -> JSON {
        if let raw = tool.rawJson {
            guard isNative else { throw NotExpressible.kind(raw, "tool", in: dialect) }
            return try NotExpressible.parse(raw, what: "a tool")
        }
        if !isNative { try ToolSyntax.check(tool.name, longest: 128, dialect) }
        var object: JSONObject = ["name": .string(tool.name)]
        object.add("description", .text(tool.description))
        object.append("input_schema", try NotExpressible.schema(tool.schemaJson, of: tool.name))
        // Older models refuse the member; without it the schema is a strong hint.
        if isNative || (tool.strict == true && (ModelFamily.claudeVersion(model) ?? 0) >= 401) {
            object.add("strict", .flag(tool.strict))
        }
        if isNative { try object.merge(tool.extraJson, what: "the tool '\(tool.name)'") }
        return .object(object)
    }
}
