import BulkheadAPI
import BulkheadJSON

/// Canonical messages as OpenAI's `messages`.
package struct OpenAIMessages {
    private static let dialect = OpenAIRequest.dialect
    /// OpenAI takes no longer ids of calls.
    private static let longestID = 40

    private let intent: ChatIntent
    private let isNative: Bool
    /// Compatible servers want their own reasoning back; OpenAI's have no member for it.
    private let takesReasoning: Bool

    private init(_ intent: ChatIntent, model: String) {
        self.intent = intent
        isNative = intent.isNative(.openaiChat)
        takesReasoning = !ModelFamily.isOpenAIReasoning(model) && !ModelFamily.isOpenAIPlain(model)
    }

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func encode(_ intent: ChatIntent, model: String) throws -> [JSON] {
        let encoder = OpenAIMessages(intent, model: model)
        return try intent.chat.messages.flatMap { try encoder.encode($0) }
    }

    /// One message becomes several when it holds tool results: each of them is a message of its own, before the rest. Images
    /// and documents a tool returned follow as the user's: tool messages hold text only.
    private func encode(_ message: ChatAPI.Message) throws -> [JSON] {
        var encoded: [JSON] = []
        var attached: [ChatAPI.Part] = []
        for part in message.parts where part.kind == .toolResult {
            encoded.append(try toolResult(part, message, &attached))
        }
        let rest = attached + message.parts.filter { $0.kind != .toolResult }
        guard encoded.isEmpty || !rest.isEmpty else { return encoded }
        let role = encoded.isEmpty ? message.role : .user
        var object: JSONObject = ["role": .string(Self.role(role))]
        if role == .assistant {
            try addAssistant(rest, to: &object)
        } else {
            object.append("content", try content(rest))
        }
        object.add("name", .text(message.name))
        if isNative, encoded.isEmpty { try object.merge(message.extraJson, what: "a message") }
        encoded.append(.object(object))
        return encoded
    }

    private static func role(_ role: ChatAPI.Role) -> String {
        switch role {
        case .system: "system"
        case .developer: "developer"
        case .assistant: "assistant"
        case .tool: "tool"
        case .user, .unspecified: "user"
        }
    }

    private func toolResult(_ part: ChatAPI.Part, _ message: ChatAPI.Message, _ attached: inout [ChatAPI.Part]) throws -> JSON {
        var object: JSONObject = ["role": "tool", "tool_call_id": .string(id(part.id))]
        if isNative, let json = part.json {
            object.append("content", try NotExpressible.parse(json, what: "a tool result"))
        } else if isNative {
            object.append("content", .string(part.text))
        } else {
            let pieces = try ToolOutput.pieces(part)
            attached += ToolOutput.media(pieces)
            object.append("content", .string(ToolOutput.plainText(pieces, isError: part.isError)))
        }
        if isNative, message.role == .tool {
            object.add("name", .text(message.name))
            try object.merge(message.extraJson, what: "a message")
        }
        return .object(object)
    }

    private func id(_ id: String?) -> String { isNative ? id ?? "" : ToolSyntax.id(id, longest: Self.longestID) }

    private func addAssistant(_ parts: [ChatAPI.Part], to object: inout JSONObject) throws {
        let calls = try parts.compactMap { try toolCall($0) }
        let refusals = parts.filter { $0.kind == .refusal && $0.extraJson == nil }
        let rest = parts.filter { part in
            switch part.kind {
            case .toolCall, .thinking: false
            case .raw: !Self.isCall(part)
            case .refusal: part.extraJson != nil
            default: true
            }
        }
        if !rest.isEmpty {
            object.append("content", try content(rest))
        } else {
            object.append("content", calls.isEmpty && refusals.isEmpty ? "" : .null)
        }
        if !refusals.isEmpty { object.append("refusal", .string(refusals.map(\.text).joined())) }
        object.add("tool_calls", list: calls)
        let thoughts = parts.filter { $0.kind == .thinking && !$0.redacted && intent.origin($0) == .openaiChat }
        if takesReasoning, !thoughts.isEmpty { object.append("reasoning_content", .string(thoughts.map(\.text).joined())) }
    }

    /// A call of a kind the canonical form does not model has an id, content of such a kind has none.
    private static func isCall(_ part: ChatAPI.Part) -> Bool { part.kind == .raw && part.id != nil }

    /// nil for parts that are no call.
    private func toolCall(_ part: ChatAPI.Part) throws -> JSON? {
        switch part.kind {
        case .raw where Self.isCall(part):
            guard isNative else { throw NotExpressible.kind(part.json, "tool call", in: Self.dialect) }
            return try NotExpressible.parse(part.json ?? "null", what: "a tool call")
        case .toolCall:
            var call: JSONObject = [
                "id": .string(id(part.id)), "type": "function",
                "function": ["name": .string(part.name ?? ""), "arguments": .string(part.json ?? "{}")],
            ]
            if isNative { try call.merge(part.extraJson, what: "a tool call") }
            return .object(call)
        default:
            return nil
        }
    }

    /// A string for one plain text, else a list of parts.
    private func content(_ parts: [ChatAPI.Part]) throws -> JSON {
        if parts.isEmpty { return "" }
        if parts.count == 1, parts[0].kind == .text, !isNative || parts[0].extraJson == nil { return .string(parts[0].text) }
        return .array(try parts.filter { $0.kind != .thinking }.map { try part($0) })
    }

    private func part(_ part: ChatAPI.Part) throws -> JSON {
        var object: JSONObject
        switch part.kind {
        case .text:
            object = ["type": "text", "text": .string(part.text)]
        case .image:
            object = ["type": "image_url", "image_url": ["url": .string(url(part))]]
        case .document:
            object = try document(part)
        case .audio:
            object = try audio(part)
        case .refusal:
            object = ["type": "refusal", "refusal": .string(part.text)]
        case .raw where isNative:
            return try NotExpressible.parse(part.json ?? "null", what: "a content part")
        default:
            throw NotExpressible.kind(part.json, "content part", in: Self.dialect)
        }
        if isNative { try object.merge(part.extraJson, what: "a content part") }
        return .object(object)
    }

    private func url(_ part: ChatAPI.Part) -> String {
        part.url ?? "data:\(part.mediaType ?? "image/png");base64,\(part.text)"
    }

    private func document(_ part: ChatAPI.Part) throws -> JSONObject {
        switch try MediaSource(part, Self.dialect, isNative: isNative) {
        case .url: throw NotExpressible.error("A document by URL", in: Self.dialect)
        case .text(let text): return ["type": "text", "text": .string(DocumentText.titled(part.name, text))]
        case .data(let type, let base64):
            try DocumentText.checkCitations(part, isNative: isNative, Self.dialect)
            let name = part.name ?? "document"
            return ["type": "file", "file": ["filename": .string(name), "file_data": .string("data:\(type);base64,\(base64)")]]
        }
    }

    private func audio(_ part: ChatAPI.Part) throws -> JSONObject {
        guard case .data(let type, let base64) = try MediaSource(part, Self.dialect) else {
            throw NotExpressible.error("Sound by URL", in: Self.dialect)
        }
        let format = type.hasSuffix("mpeg") || type.hasSuffix("mp3") ? "mp3" : "wav"
        return ["type": "input_audio", "input_audio": ["data": .string(base64), "format": .string(format)]]
    }
}
