import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of `models/MODEL:streamGenerateContent`.
package enum GeminiRequest {
    package static let dialect = "Gemini"
    private static let mostStops = 5

    package static func request(_ intent: ChatIntent, _ target: Target) throws -> UpstreamRequest {
        let body = try body(intent, model: target.model)
        return UpstreamRequest(
            path: "/v1beta/models/\(try PathSegment.encoded(target.model)):streamGenerateContent", query: "alt=sse",
            body: JSON.object(body).bytes(), expectsStream: true)
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ intent: ChatIntent, model: String) throws -> JSONObject {
        let chat = intent.chat
        let isNative = intent.isNative(.gemini)
        if !isNative { try ForeignMembers.check(intent, dialect) }
        try intent.checkStops(most: mostStops, dialect)
        try intent.checkParallel(dialect)
        if !isNative { try intent.checkLogprobs(dialect) }
        let contents = GeminiContents(intent)
        var body: JSONObject = [:]
        body.add("systemInstruction", try contents.system())
        body.append("contents", .array(try contents.turns()))
        try addTools(chat, isNative: isNative, to: &body)
        let config = try config(intent, model: model)
        if !config.isEmpty { body.append("generationConfig", .object(config)) }
        if isNative { body.merge(intent.extra) }
        return body
    }

    private static func config(_ intent: ChatIntent, model: String) throws -> JSONObject {
        let chat = intent.chat
        var config = intent.isNative(.gemini) ? intent.extra["generationConfig"]?.object ?? [:] : [:]
        var wanted: JSONObject = [:]
        wanted.add("temperature", .number(chat.temperature))
        wanted.add("topP", .number(chat.topP))
        wanted.add("topK", .number(chat.topK))
        wanted.add("maxOutputTokens", .number(intent.limit))
        wanted.add("stopSequences", list: chat.stop.map { .string($0) })
        wanted.add("seed", .number(chat.seed))
        if let choices = chat.choices, choices > 1 { wanted.append("candidateCount", .int(Int64(choices))) }
        wanted.add("presencePenalty", .number(chat.presencePenalty))
        wanted.add("frequencyPenalty", .number(chat.frequencyPenalty))
        try addFormat(intent.format, to: &wanted)
        wanted.add("thinkingConfig", thinking(intent, model: model))
        config.merge(wanted)
        return config
    }

    private static func addFormat(_ format: OutputFormat, to config: inout JSONObject) throws {
        switch format {
        case .text: return
        case .object: config.append("responseMimeType", "application/json")
        case .schema(let schema):
            config.append("responseMimeType", "application/json")
            config.append(GeminiSchema.isPlain(schema.schema) ? "responseSchema" : "responseJsonSchema", schema.schema)
        case .other(let type):
            throw NotExpressible.error("An output format of type '\(type.prefix(64))'", in: dialect)
        }
    }

    /// A budget where the client or the model counts tokens, else a level.
    private static func thinking(_ intent: ChatIntent, model: String) -> JSON? {
        let wish = intent.reasoning
        guard wish.isSaid || wish.summary != nil, !ModelFamily.isGeminiPlain(model) else { return nil }
        var config: JSONObject = [:]
        if wish.isOff {
            // The newer models cannot be kept from thinking; the least they do is their lowest level.
            return ModelFamily.takesThinkingLevel(model) ? ["thinkingLevel": "low"] : ["thinkingBudget": 0]
        }
        if ModelFamily.takesThinkingLevel(model), wish.budget == nil, let effort = wish.effort {
            config.append("thinkingLevel", ["minimal", "low"].contains(effort) ? "low" : "high")
        } else if let budget = wish.budgetTokens {
            config.append("thinkingBudget", .int(Int64(min(budget, mostThinking))))
        }
        if wish.summary != nil { config.append("includeThoughts", true) }
        return config.isEmpty ? nil : .object(config)
    }

    /// The largest budget all models with budgets take.
    private static let mostThinking = 24_576

    private static func addTools(_ chat: ChatAPI.ChatRequest, isNative: Bool, to body: inout JSONObject) throws {
        guard !chat.tools.isEmpty else { return }
        var declarations: [JSON] = []
        var tools: [JSON] = []
        for tool in chat.tools {
            if let raw = tool.rawJson {
                guard isNative else { throw NotExpressible.kind(raw, "tool", in: dialect) }
                tools.append(try NotExpressible.parse(raw, what: "a tool"))
            } else {
                declarations.append(try declaration(tool))
            }
        }
        if !declarations.isEmpty { tools.append(["functionDeclarations": .array(declarations)]) }
        body.append("tools", .array(tools))
        body.add("toolConfig", choice(chat).map { ["functionCallingConfig": $0] })
    }

    private static func choice(_ chat: ChatAPI.ChatRequest) -> JSON? {
        switch chat.toolMode {
        case .unspecified: nil
        case .auto: ["mode": "AUTO"]
        case .none: ["mode": "NONE"]
        case .required: ["mode": "ANY"]
        case .named: ["mode": "ANY", "allowedFunctionNames": [.string(chat.toolName ?? "")]]
        }
    }

    private static func declaration(_ tool: ChatAPI.Tool) throws -> JSON {
        try ToolSyntax.check(tool.name, longest: 64, also: ".:", dialect)
        var object: JSONObject = ["name": .string(tool.name)]
        object.add("description", .text(tool.description))
        if !tool.schemaJson.isEmpty {
            let schema = try NotExpressible.schema(tool.schemaJson, of: tool.name)
            // A function without parameters has none: an object without properties is refused.
            if schema["properties"]?.object?.isEmpty != true || schema["additionalProperties"] != nil {
                object.append(GeminiSchema.isPlain(schema) ? "parameters" : "parametersJsonSchema", schema)
            }
        }
        return .object(object)
    }
}
