import BulkheadAPI
import BulkheadJSON

/// Canonical messages as Gemini's `systemInstruction` and `contents`.
package struct GeminiContents {
    private static let dialect = GeminiRequest.dialect

    private let intent: ChatIntent
    private let isNative: Bool
    /// Gemini knows calls by name, not by id.
    private let names: [String: String]

    package init(_ intent: ChatIntent) {
        self.intent = intent
        isNative = intent.isNative(.gemini)
        names = intent.toolNames
    }

    package func system() throws -> JSON? {
        let parts = intent.system.flatMap(\.parts)
        guard parts.allSatisfy({ $0.kind == .text }) else {
            throw NotExpressible.error("A system message with anything but text", in: Self.dialect)
        }
        let texts = parts.map(\.text).filter { !$0.isEmpty }
        return texts.isEmpty ? nil : ["parts": .array(texts.map { ["text": .string($0)] })]
    }

    /// Turns of one side are merged. A tool's result is the user's side.
    package func turns() throws -> [JSON] {
        var turns: [(role: String, parts: [JSON])] = []
        for message in intent.turns {
            let role = message.role == .assistant ? "model" : "user"
            let parts = try parts(message)
            if turns.last?.role == role {
                turns[turns.count - 1].parts += parts
            } else {
                turns.append((role, parts))
            }
        }
        return turns.filter { !$0.parts.isEmpty }.map { ["role": .string($0.role), "parts": .array($0.parts)] }
    }

    /// A signature stands on the call or text that follows the reasoning it belongs to.
    private func parts(_ message: ChatAPI.Message) throws -> [JSON] {
        var parts: [JSON] = []
        var signature: String?
        for part in message.parts {
            if part.kind == .thinking {
                guard let own = part.signature, !own.isEmpty, intent.origin(part) == .gemini else { continue }
                if let signature { parts.append(["text": "", "thoughtSignature": .string(signature)]) }
                signature = own
            } else {
                for var object in try self.parts(part) {
                    if let own = signature.take() { object.append("thoughtSignature", .string(own)) }
                    parts.append(.object(object))
                }
            }
        }
        if let signature { parts.append(["text": "", "thoughtSignature": .string(signature)]) }
        return parts
    }

    private func parts(_ part: ChatAPI.Part) throws -> [JSONObject] {
        switch part.kind {
        case .text, .refusal: return part.text.isEmpty ? [] : [["text": .string(part.text)]]
        case .image, .document, .audio: return [try media(part)]
        case .toolCall:
            let arguments = try NotExpressible.arguments(part.json, in: Self.dialect)
            return [["functionCall": ["name": .string(part.name ?? ""), "args": arguments]]]
        case .toolResult: return try result(part)
        case .raw where isNative:
            return [try NotExpressible.parse(part.json ?? "null", what: "a content part").object ?? [:]]
        default: throw NotExpressible.kind(part.json, "content part", in: Self.dialect)
        }
    }

    private func media(_ part: ChatAPI.Part) throws -> JSONObject {
        try DocumentText.checkCitations(part, isNative: isNative, Self.dialect)
        switch try MediaSource(part, Self.dialect, isNative: isNative) {
        case .text(let text): return ["text": .string(DocumentText.titled(part.name, text))]
        case .data(let type, let base64): return ["inlineData": ["mimeType": .string(type), "data": .string(base64)]]
        case .url(let url):
            var file: JSONObject = [:]
            file.add("mimeType", .text(part.mediaType ?? Self.type(of: url, part.kind)))
            file.append("fileUri", .string(url))
            return ["fileData": .object(file)]
        }
    }

    /// By the end of the path; nil leaves it to the provider.
    private static func type(of url: String, _ kind: ChatAPI.PartKind) -> String? {
        let path = url.prefix { $0 != "?" && $0 != "#" }
        let types = [
            "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
            "heic": "image/heic", "pdf": "application/pdf", "txt": "text/plain", "wav": "audio/wav", "mp3": "audio/mpeg",
        ]
        return path.split(separator: ".").last.flatMap { types[$0.lowercased()] }
            ?? (kind == .document ? "application/pdf" : kind == .image ? "image/jpeg" : nil)
    }

    /// Images and documents of a result follow it as parts of their own.
    private func result(_ part: ChatAPI.Part) throws -> [JSONObject] {
        guard let name = part.name ?? names[part.id ?? ""], !name.isEmpty else {
            throw NotExpressible.error("The result of a tool call that is not in the conversation", in: Self.dialect)
        }
        let pieces = try ToolOutput.pieces(part)
        let key = part.isError ? "error" : "output"
        var response: JSON = [:]
        if pieces.count == 1, case .json(let json) = pieces[0] {
            response = json.object != nil && !part.isError ? json : .object([key: json])
        } else {
            response = .object([key: .string(ToolOutput.plainText(pieces, isError: false))])
        }
        let media = try ToolOutput.media(pieces).map { try self.media($0) }
        return [["functionResponse": ["name": .string(name), "response": response]]] + media
    }
}
