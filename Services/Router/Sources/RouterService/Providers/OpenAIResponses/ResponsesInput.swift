import BulkheadAPI
import BulkheadJSON

/// Canonical messages as input items.
package struct ResponsesInput {
    private static let dialect = ResponsesRequest.dialect
    private static let longestID = 64
    /// Types of parts that stand inside a message; raw parts of any other type are items of their own.
    private static let contentTypes: Set<String> = [
        "input_text", "input_image", "input_file", "input_audio", "output_text", "refusal", "text", "reasoning_text",
        "summary_text",
    ]

    private let intent: ChatIntent
    private let isNative: Bool

    /// - Throws: `CallError` INVALID_ARGUMENT for what the dialect cannot express.
    package static func items(_ intent: ChatIntent) throws -> [JSON] {
        let input = ResponsesInput(intent: intent, isNative: intent.isNative(.openaiResponses))
        return try intent.chat.messages.flatMap { try input.items($0) }
    }

    /// The parts of a message in order: calls, results and reasoning are items, what stands between them is a message.
    private func items(_ message: ChatAPI.Message) throws -> [JSON] {
        var items: [JSON] = []
        var content: [JSON] = []
        for part in message.parts {
            if let item = try item(part) {
                try flush(&content, message, into: &items)
                items += item
            } else if let part = try self.part(part, message.role) {
                content.append(part)
            }
        }
        try flush(&content, message, into: &items)
        return items
    }

    private func flush(_ content: inout [JSON], _ message: ChatAPI.Message, into items: inout [JSON]) throws {
        guard !content.isEmpty else { return }
        var object: JSONObject = ["type": "message", "role": .string(Self.role(message.role))]
        object.append("content", .array(content))
        if isNative { try object.merge(message.extraJson, what: "a message") }
        items.append(.object(object))
        content = []
    }

    private static func role(_ role: ChatAPI.Role) -> String {
        switch role {
        case .system: "system"
        case .developer: "developer"
        case .assistant: "assistant"
        case .user, .tool, .unspecified: "user"
        }
    }

    /// The items a part is; nil for parts of a message. Reasoning of others is none at all.
    private func item(_ part: ChatAPI.Part) throws -> [JSON]? {
        var object: JSONObject
        switch part.kind {
        case .toolCall:
            object = ["type": "function_call", "call_id": .string(id(part.id)), "name": .string(part.name ?? "")]
            object.append("arguments", .string(part.json ?? "{}"))
        case .toolResult:
            object = ["type": "function_call_output", "call_id": .string(id(part.id)), "output": try output(part)]
        case .thinking:
            guard let signature = part.signature, !signature.isEmpty, intent.origin(part) == .openaiResponses else { return [] }
            let summary: JSON = part.text.isEmpty ? [] : [["type": "summary_text", "text": .string(part.text)]]
            object = ["type": "reasoning", "summary": summary, "encrypted_content": .string(signature)]
            object.add("id", .text(part.id))
        case .raw:
            guard isNative else { throw NotExpressible.kind(part.json, "content part", in: Self.dialect) }
            let raw = try NotExpressible.parse(part.json ?? "null", what: "an input item")
            return Self.contentTypes.contains(raw["type"]?.string ?? "") ? nil : [raw]
        default:
            return nil
        }
        if isNative { try object.merge(part.extraJson, what: "an input item") }
        return [.object(object)]
    }

    private func id(_ id: String?) -> String { isNative ? id ?? "" : ToolSyntax.id(id, longest: Self.longestID) }

    /// A string, or a list of parts when a tool returned images or documents.
    private func output(_ part: ChatAPI.Part) throws -> JSON {
        if isNative { return try part.json.map { try NotExpressible.parse($0, what: "a tool result") } ?? .string(part.text) }
        let pieces = try ToolOutput.pieces(part)
        guard !ToolOutput.media(pieces).isEmpty else { return .string(ToolOutput.plainText(pieces, isError: part.isError)) }
        return .array(
            try pieces.compactMap { piece in
                switch piece {
                case .text(let text): ["type": "input_text", "text": .string(text)]
                case .json(let json): ["type": "input_text", "text": .string(json.text())]
                case .media(let part): try self.part(part, .user)
                }
            })
    }

    private func part(_ part: ChatAPI.Part, _ role: ChatAPI.Role) throws -> JSON? {
        var object: JSONObject
        switch part.kind {
        case .text:
            if part.text.isEmpty { return nil }
            object = ["type": role == .assistant ? "output_text" : "input_text", "text": .string(part.text)]
        case .refusal: object = ["type": "refusal", "refusal": .string(part.text)]
        case .image:
            let url = try MediaSource(part, Self.dialect, isNative: isNative).asURL ?? ""
            object = ["type": "input_image", "image_url": .string(url)]
            object.append("detail", detail(part))
        case .document: object = try document(part)
        case .audio where isNative: object = try audio(part)
        case .raw: return try NotExpressible.parse(part.json ?? "null", what: "a content part")
        default: throw NotExpressible.kind(part.json, "content part", in: Self.dialect)
        }
        if isNative { try object.merge(part.extraJson, what: "a content part") }
        return .object(object)
    }

    private func detail(_ part: ChatAPI.Part) -> JSON {
        let extra = part.extraJson.flatMap { try? JSON.parse($0) }
        return extra?["detail"] ?? extra?["image_url"]?["detail"] ?? "auto"
    }

    private func audio(_ part: ChatAPI.Part) throws -> JSONObject {
        let format = part.mediaType == "audio/mpeg" ? "mp3" : "wav"
        return ["type": "input_audio", "input_audio": ["data": .string(part.text), "format": .string(format)]]
    }

    private func document(_ part: ChatAPI.Part) throws -> JSONObject {
        try DocumentText.checkCitations(part, isNative: isNative, Self.dialect)
        switch try MediaSource(part, Self.dialect, isNative: isNative) {
        case .url(let url):
            var object: JSONObject = ["type": "input_file", "file_url": .string(url)]
            if isNative { object.add("filename", .text(part.name)) }
            return object
        case .text(let text): return ["type": "input_text", "text": .string(DocumentText.titled(part.name, text))]
        case .data(let type, let base64):
            let data = "data:\(type);base64,\(base64)"
            return ["type": "input_file", "filename": .string(part.name ?? "document.pdf"), "file_data": .string(data)]
        }
    }
}
