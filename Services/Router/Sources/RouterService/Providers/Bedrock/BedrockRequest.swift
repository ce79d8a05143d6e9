import BulkheadAPI
import BulkheadJSON

/// The canonical request as a body of Bedrock's `POST /model/MODEL/converse-stream`.
package enum BedrockRequest {
    package static let dialect = "Bedrock Converse"
    private static let mostStops = 2500
    /// Claude refuses hotter ones.
    private static let hottest = 1.0

    package static func request(
        _ intent: ChatIntent, _ target: Target, defaultMaxTokens: Int
    ) throws -> UpstreamRequest {
        let body = try body(intent, model: target.model, defaultMaxTokens: defaultMaxTokens)
        return UpstreamRequest(
            path: "/model/\(try PathSegment.encoded(target.model))/converse-stream", body: JSON.object(body).bytes(),
            expectsStream: true, streamType: "application/vnd.amazon.eventstream")
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func body(_ intent: ChatIntent, model: String, defaultMaxTokens: Int) throws -> JSONObject {
        let chat = intent.chat
        let isNative = intent.isNative(.bedrock)
        if !isNative { try ForeignMembers.check(intent, dialect) }
        try intent.checkSingle(dialect)
        try intent.checkParallel(dialect)
        try intent.checkLogprobs(dialect)
        try intent.checkStops(most: mostStops, dialect)
        let isClaude = ModelFamily.isClaude(model)
        let thinking = isClaude ? ClaudeThinking(intent, model: model) : nil
        let messages = BedrockMessages(intent, model: model)
        var body: JSONObject = [:]
        body.add("system", list: try messages.system())
        body.append("messages", .array(try messages.turns()))
        let limit = intent.limit ?? (isClaude ? defaultMaxTokens + (thinking?.budget ?? 0) : nil)
        body.add("inferenceConfig", inference(chat, limit: limit, isClaude: isClaude, thinks: thinking?.isOn ?? false))
        try addTools(chat, isClaude: isClaude, caches: messages.takesCachePoints, to: &body)
        try addFormat(intent, to: &body)
        addExtra(intent, model: model, thinking, to: &body)
        if isNative { body.merge(intent.extra) }
        return body
    }

    private static func inference(_ chat: ChatAPI.ChatRequest, limit: Int?, isClaude: Bool, thinks: Bool) -> JSON? {
        var config: JSONObject = [:]
        config.add("maxTokens", .number(limit))
        if !thinks {
            config.add("temperature", .number(chat.temperature.map { isClaude ? min($0, hottest) : $0 }))
            if chat.temperature == nil || !isClaude { config.add("topP", .number(chat.topP)) }
        }
        config.add("stopSequences", list: chat.stop.map { .string($0) })
        return config.isEmpty ? nil : .object(config)
    }

    /// Tools and the choice among them. Converse cannot forbid calls: without tools there are none.
    private static func addTools(
        _ chat: ChatAPI.ChatRequest, isClaude: Bool, caches: Bool, to body: inout JSONObject
    ) throws {
        guard !chat.tools.isEmpty else { return }
        if chat.toolMode == .none {
            let isUsed = chat.messages.contains { $0.parts.contains { [.toolCall, .toolResult].contains($0.kind) } }
            if isUsed { throw NotExpressible.error("tool_choice=none in a conversation with tool calls", in: dialect) }
            return
        }
        var tools: [JSON] = []
        for tool in chat.tools {
            tools.append(try spec(tool))
            if caches, let point = CachePoint.json(tool.extraJson) { tools.append(point) }
        }
        var config: JSONObject = ["tools": .array(tools)]
        switch chat.toolMode {
        case .unspecified, .none: break
        case .auto: config.append("toolChoice", ["auto": [:]])
        case .required: config.append("toolChoice", ["any": [:]])
        case .named: config.append("toolChoice", ["tool": ["name": .string(chat.toolName ?? "")]])
        }
        body.append("toolConfig", .object(config))
    }

    private static func spec(_ tool: ChatAPI.Tool) throws -> JSON {
        if let raw = tool.rawJson { throw NotExpressible.kind(raw, "tool", in: dialect) }
        try ToolSyntax.check(tool.name, longest: 64, dialect)
        var spec: JSONObject = ["name": .string(tool.name)]
        if let description = tool.description, !description.isEmpty { spec.append("description", .string(description)) }
        spec.append("inputSchema", ["json": try NotExpressible.schema(tool.schemaJson, of: tool.name)])
        return ["toolSpec": .object(spec)]
    }

    /// Converse takes the schema as text.
    private static func addFormat(_ intent: ChatIntent, to body: inout JSONObject) throws {
        guard let schema = try intent.format.schemaOnly(dialect) else { return }
        var inner: JSONObject = ["schema": .string(schema.schema.text()), "name": .string(schema.name)]
        inner.add("description", .text(schema.description))
        body.append("outputConfig", ["textFormat": ["type": "json_schema", "structure": ["jsonSchema": .object(inner)]]])
    }

    /// What Converse passes to the model as it is.
    private static func addExtra(
        _ intent: ChatIntent, model: String, _ thinking: ClaudeThinking?, to body: inout JSONObject
    ) {
        var extra: JSONObject = [:]
        if ModelFamily.isClaude(model) {
            if thinking?.isOn != true { extra.add("top_k", .number(intent.chat.topK)) }
            extra.add("thinking", thinking?.json)
            if let effort = thinking?.effort { extra.append("output_config", ["effort": .string(effort)]) }
            if !intent.chat.stop.isEmpty { body.append("additionalModelResponseFieldPaths", ["/stop_sequence"]) }
        } else if model.contains("gpt-oss"), let effort = intent.reasoning.effortWord {
            extra.append("reasoning_effort", .string(["low", "medium", "high"].contains(effort) ? effort : "high"))
        }
        if !extra.isEmpty { body.append("additionalModelRequestFields", .object(extra)) }
    }
}
