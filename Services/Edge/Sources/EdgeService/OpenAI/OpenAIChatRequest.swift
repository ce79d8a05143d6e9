import BulkheadAPI
import BulkheadJSON

/// OpenAI's chat request → canonical. Source: OpenAI API reference, "Create chat completion".
enum OpenAIChatRequest {
    /// Members that have a place in the canonical form, or are edge's. `max_completion_tokens`, `safety_identifier`, `top_k` and
    /// `thinking` have one and are forwarded too, so that an OpenAI provider gets the name the client used.
    private static let known: Set<String> = [
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "max_tokens", "stop", "seed",
        "n", "presence_penalty", "frequency_penalty", "response_format", "logprobs", "top_logprobs", "reasoning_effort", "user",
        "stream", "stream_options", "bulkhead", "functions", "function_call",
    ]
    private static let mostChoices = 128

    static func decode(_ body: JSON) throws -> ChatCall {
        let fields = try RequestFields(body: body)
        try refuseDeprecated(fields)
        var chat = ChatAPI.ChatRequest(dialect: .openaiChat)
        chat.model = try fields.requiredString("model")
        if chat.model.isEmpty { throw fields.wrong("model", "the name of a model") }
        chat.messages = try OpenAIMessages.decode(fields)
        chat.tools = try fields.list("tools")?.map(tool) ?? []
        var extra = fields.rest(besides: known)
        if let other = try readToolChoice(fields, into: &chat) { extra["tool_choice"] = other }
        try readSampling(fields, into: &chat)
        try readReasoning(fields, into: &chat)
        chat.endUser = try fields.endUser(into: &extra)
        // Only one of the two has a place.
        if fields.value("max_completion_tokens") != nil, let other = fields.value("max_tokens") { extra["max_tokens"] = other }
        chat.stream = try fields.bool("stream") ?? false
        let streaming = try fields.fields("stream_options")
        if let rest = streaming?.rest(besides: ["include_usage"]), !rest.isEmpty { extra["stream_options"] = .object(rest) }
        chat.extraJson = extra.isEmpty ? nil : JSON.object(extra).text()
        let includesUsage = try streaming?.bool("include_usage") ?? false
        return ChatCall(chat: chat, includesUsage: includesUsage, options: try BulkheadOptions(fields))
    }

    /// What came before tools. Its answers have a form of their own, which no provider is asked for any more.
    private static func refuseDeprecated(_ fields: RequestFields) throws {
        for (name, instead) in [("functions", "tools"), ("function_call", "tool_choice")] {
            guard let value = fields.value(name), value != [], value != "none" else { continue }
            throw EdgeError(
                .badRequest, code: "unsupported", message: "\(name) is deprecated and not served: send \(instead) instead.",
                param: name)
        }
    }

    private static func readSampling(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        chat.parallelToolCalls = try fields.bool("parallel_tool_calls")
        chat.temperature = try fields.double("temperature")
        chat.topP = try fields.double("top_p")
        chat.topK = try fields.int("top_k")
        chat.maxTokens = try fields.int("max_completion_tokens", in: 1 ... .max) ?? fields.int("max_tokens", in: 1 ... .max)
        chat.stop = try fields.strings("stop") ?? []
        chat.seed = try fields.int("seed")
        chat.choices = try fields.int("n", in: 1 ... mostChoices)
        chat.presencePenalty = try fields.double("presence_penalty")
        chat.frequencyPenalty = try fields.double("frequency_penalty")
        chat.responseFormatJson = try fields.fields("response_format").map { format in
            _ = try format.requiredString("type")
            return format.text
        }
        chat.logprobs = try fields.bool("logprobs")
        chat.topLogprobs = try fields.int("top_logprobs", in: 0 ... 20)
    }

    /// `thinking`, of compatible servers, says it as Anthropic does.
    private static func readReasoning(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        chat.reasoningEffort = try fields.string("reasoning_effort")
        guard let thinking = fields.value("thinking")?.object else { return }
        let config = RequestFields(thinking, path: "thinking")
        chat.reasoningBudget = try config.string("type") == "disabled" ? 0 : config.int("budget_tokens", in: 0 ... .max)
    }

    /// Tools of other kinds are forwarded as they are.
    private static func tool(_ fields: RequestFields) throws -> ChatAPI.Tool {
        guard try fields.requiredString("type") == "function" else { return ChatAPI.Tool(rawJson: fields.text) }
        guard let function = try fields.fields("function") else { throw fields.missing("function") }
        return ChatAPI.Tool(
            name: try function.requiredString("name"), description: try function.string("description"),
            schemaJson: try function.fields("parameters")?.text ?? "", strict: try function.bool("strict"),
            extraJson: fields.extra(besides: ["type"], inside: ["function": ["name", "description", "parameters", "strict"]]))
    }

    /// - Returns: a choice the canonical form does not model: of another kind, or with members of its own.
    private static func readToolChoice(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws -> JSON? {
        guard let choice = fields.value("tool_choice") else { return nil }
        switch choice {
        case "auto": chat.toolMode = .auto
        case "none": chat.toolMode = .none
        case "required": chat.toolMode = .required
        case .object(let object):
            guard object["type"] == "function", let named = try fields.fields("tool_choice") else { return choice }
            guard let function = try named.fields("function") else { throw named.missing("function") }
            let name = try function.requiredString("name")
            if named.extra(besides: ["type"], inside: ["function": ["name"]]) != nil { return choice }
            chat.toolMode = .named
            chat.toolName = name
        default: throw fields.wrong("tool_choice", "auto, none, required or an object")
        }
        return nil
    }
}

extension RequestFields {
    /// The end user the client names. Where it names two, the other one stays among the members that are forwarded.
    func endUser(into extra: inout JSONObject) throws -> String? {
        let user = try string("user")
        guard let identifier = try string("safety_identifier") else { return user }
        if let user { extra["user"] = .string(user) }
        return identifier
    }
}
