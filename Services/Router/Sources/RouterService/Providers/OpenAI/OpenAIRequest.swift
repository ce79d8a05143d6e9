import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `POST /v1/chat/completions`.
package enum OpenAIRequest {
    private static let dialect = "OpenAI chat"

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ chat: ChatAPI.ChatRequest, model: String) throws -> JSONObject {
        let isNative = chat.dialect == .openaiChat
        var body: JSONObject = ["model": .string(model)]
        body.append("messages", .array(try chat.messages.flatMap { try OpenAIMessages.encode($0, isNative: isNative) }))
        try addTools(chat, isNative: isNative, to: &body)
        addSampling(chat, to: &body)
        try addLimit(chat, model: model, isNative: isNative, to: &body)
        if let format = chat.responseFormatJson {
            body.append("response_format", try NotExpressible.parse(format, what: "response_format"))
        }
        if chat.stream { body.append("stream", true) }
        if isNative { try body.merge(chat.extraJson, what: "the request") }
        addUser(chat, to: &body)
        finishStreaming(chat.stream, &body)
        return body
    }

    private static func addSampling(_ chat: ChatAPI.ChatRequest, to body: inout JSONObject) {
        body.add("temperature", .number(chat.temperature))
        body.add("top_p", .number(chat.topP))
        if !chat.stop.isEmpty { body.append("stop", .array(chat.stop.map { .string($0) })) }
        body.add("seed", .number(chat.seed))
        body.add("n", .number(chat.choices))
        body.add("presence_penalty", .number(chat.presencePenalty))
        body.add("frequency_penalty", .number(chat.frequencyPenalty))
        body.add("logprobs", .flag(chat.logprobs))
        body.add("top_logprobs", .number(chat.topLogprobs))
        body.add("reasoning_effort", .text(chat.reasoningEffort))
    }

    /// `max_tokens` or `max_completion_tokens`: what the client used; for a client of another dialect what the model takes.
    private static func addLimit(
        _ chat: ChatAPI.ChatRequest, model: String, isNative: Bool, to body: inout JSONObject
    ) throws {
        guard let limit = chat.maxTokens else { return }
        if isNative {
            let extra = try chat.extraJson.map { try NotExpressible.parse($0, what: "the request") }
            if extra?["max_completion_tokens"]?.int != limit { body.add("max_tokens", .number(limit)) }
        } else {
            let reasons = ["o1", "o3", "o4", "gpt-5"].contains { model.hasPrefix($0) }
            body.add(reasons ? "max_completion_tokens" : "max_tokens", .number(limit))
        }
    }

    private static func addUser(_ chat: ChatAPI.ChatRequest, to body: inout JSONObject) {
        guard let user = chat.endUser, body["user"] == nil, body["safety_identifier"] == nil else { return }
        body.append("user", .string(user))
    }

    /// Usage is always asked for on streams: cost and limits need it. Edge shows it to the client only if it asked.
    private static func finishStreaming(_ stream: Bool, _ body: inout JSONObject) {
        guard stream else {
            body["stream_options"] = nil
            return
        }
        var options = body["stream_options"]?.object ?? [:]
        options["include_usage"] = true
        body["stream_options"] = .object(options)
    }

    private static func addTools(_ chat: ChatAPI.ChatRequest, isNative: Bool, to body: inout JSONObject) throws {
        if !chat.tools.isEmpty { body.append("tools", .array(try chat.tools.map { try tool($0, isNative: isNative) })) }
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
            guard isNative else { throw NotExpressible.error("A tool that runs at the provider", in: dialect) }
            return try NotExpressible.parse(raw, what: "a tool")
        }
        var function: JSONObject = ["name": .string(tool.name)]
        function.add("description", .text(tool.description))
        if !tool.schemaJson.isEmpty {
            function.append(
                "parameters", try NotExpressible.parse(tool.schemaJson, what: "the schema of the tool '\(tool.name)'"))
        }
        function.add("strict", .flag(tool.strict))
        if isNative { try function.merge(tool.extraJson, what: "the tool '\(tool.name)'") }
        return ["type": "function", "function": .object(function)]
    }
}
