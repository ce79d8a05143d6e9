import BulkheadAPI
import BulkheadJSON

/// OpenAI's Responses request → canonical; the part that needs no stored state. Source: OpenAI API reference, "Create a model
/// response".
enum ResponsesRequest {
    /// Members that have a place in the canonical form, or are edge's. `text` and `reasoning` have one and are forwarded too: they
    /// hold more than the canonical form does. Nothing is ever stored or padded: `store`, `background` and
    /// `stream_options.include_obfuscation` end here.
    private static let known: Set<String> = [
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p",
        "max_output_tokens", "user", "stream", "bulkhead", "store", "background", "previous_response_id", "conversation",
        "stream_options",
    ]
    /// Members the answer repeats.
    private static let repeated: Set<String> = [
        "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "prompt_cache_key", "reasoning",
        "safety_identifier", "service_tier", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation",
        "user",
    ]
    private static let logprobsWanted = "message.output_text.logprobs"

    static func decode(_ body: JSON) throws -> ChatCall {
        let fields = try RequestFields(body: body)
        try refuseState(fields)
        var chat = ChatAPI.ChatRequest(dialect: .openaiResponses)
        chat.model = try fields.requiredString("model")
        if chat.model.isEmpty { throw fields.wrong("model", "the name of a model") }
        if let instructions = try fields.string("instructions") {
            chat.messages.append(ChatAPI.Message(role: .system, parts: [ChatAPI.Part(kind: .text, text: instructions)]))
        }
        chat.messages += try ResponsesInput.decode(fields)
        chat.tools = try fields.list("tools")?.map(tool) ?? []
        var extra = fields.rest(besides: known)
        if let other = try readToolChoice(fields, into: &chat) { extra["tool_choice"] = other }
        try readSampling(fields, into: &chat)
        try readForm(fields, into: &chat)
        chat.endUser = try fields.endUser(into: &extra)
        if let rest = try fields.fields("stream_options")?.rest(besides: ["include_obfuscation"]), !rest.isEmpty {
            extra["stream_options"] = .object(rest)
        }
        chat.stream = try fields.bool("stream") ?? false
        chat.extraJson = extra.isEmpty ? nil : JSON.object(extra).text()
        var call = ChatCall(chat: chat, options: try BulkheadOptions(fields))
        call.repeated = JSONObject(fields.object.lazy.filter { repeated.contains($0.name) }.map { ($0.name, $0.value) })
        return call
    }

    /// `store` may say anything: OpenAI's default is true, and clients do not send it. The answer says that it was not stored.
    private static func refuseState(_ fields: RequestFields) throws {
        for name in ["previous_response_id", "conversation"] where fields.value(name) != nil { throw unsupported(fields, name) }
        if try fields.bool("background") == true { throw unsupported(fields, "background") }
        _ = try fields.bool("store")
    }

    static func unsupported(_ fields: RequestFields, _ name: String) -> EdgeError {
        EdgeError(
            .badRequest, code: "unsupported",
            message: "\(fields.param(name)) needs stored state, which this version does not serve: send the whole input instead.",
            param: fields.param(name))
    }

    private static func readSampling(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        chat.parallelToolCalls = try fields.bool("parallel_tool_calls")
        chat.temperature = try fields.double("temperature")
        chat.topP = try fields.double("top_p")
        chat.maxTokens = try fields.int("max_output_tokens", in: 1 ... .max)
        chat.topLogprobs = try fields.int("top_logprobs", in: 0 ... 20)
        let include = try fields.strings("include") ?? []
        if include.contains(logprobsWanted) { chat.logprobs = true }
    }

    private static func readForm(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws {
        if let reasoning = try fields.fields("reasoning") {
            chat.reasoningEffort = try reasoning.string("effort")
            chat.reasoningSummary = try reasoning.string("summary") ?? reasoning.string("generate_summary")
        }
        guard let format = try fields.fields("text")?.fields("format") else { return }
        let type = try format.requiredString("type")
        guard type == "json_schema" else {
            if type != "text" { chat.responseFormatJson = format.text }
            return
        }
        _ = try format.requiredString("name")
        let schema = JSON.object(format.rest(besides: ["type"]))
        chat.responseFormatJson = JSON.object(["type": "json_schema", "json_schema": schema]).text()
    }

    /// Tools of other kinds run at the provider and are forwarded as they are.
    private static func tool(_ fields: RequestFields) throws -> ChatAPI.Tool {
        guard try fields.requiredString("type") == "function" else {
            return ChatAPI.Tool(rawJson: fields.text)
        }
        return ChatAPI.Tool(
            name: try fields.requiredString("name"), description: try fields.string("description"),
            schemaJson: try fields.fields("parameters")?.text ?? "", strict: try fields.bool("strict"),
            extraJson: fields.extra(besides: ["type", "name", "description", "parameters", "strict"]))
    }

    /// - Returns: a choice the canonical form does not model: of another kind, or with members of its own.
    private static func readToolChoice(_ fields: RequestFields, into chat: inout ChatAPI.ChatRequest) throws -> JSON? {
        guard let choice = fields.value("tool_choice") else { return nil }
        switch choice {
        case "auto": chat.toolMode = .auto
        case "none": chat.toolMode = .none
        case "required": chat.toolMode = .required
        case .object(let object):
            guard object["type"] == "function" else { return choice }
            let named = RequestFields(object, path: "tool_choice")
            let name = try named.requiredString("name")
            if named.extra(besides: ["type", "name"]) != nil { return choice }
            chat.toolMode = .named
            chat.toolName = name
        default: throw fields.wrong("tool_choice", "auto, none, required or an object")
        }
        return nil
    }
}
