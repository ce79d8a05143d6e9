import BulkheadAPI
import BulkheadJSON

/// Canonical messages as Converse's `system` and `messages`.
package struct BedrockMessages {
    private static let dialect = BedrockRequest.dialect
    private static let longestID = 64

    private let intent: ChatIntent
    private let isNative: Bool
    private let isClaude: Bool
    /// Other models refuse cache points.
    package let takesCachePoints: Bool

    package init(_ intent: ChatIntent, model: String) {
        self.intent = intent
        isNative = intent.isNative(.bedrock)
        isClaude = ModelFamily.isClaude(model)
        takesCachePoints = isClaude || model.contains("amazon.nova")
    }

    package func system() throws -> [JSON] {
        let parts = intent.system.flatMap(\.parts)
        guard parts.allSatisfy({ $0.kind == .text }) else {
            throw NotExpressible.error("A system message with anything but text", in: Self.dialect)
        }
        return parts.filter { !$0.text.isEmpty }.flatMap { marked($0, [["text": .string($0.text)]]) }
    }

    /// Turns alternate: consecutive messages of one side become one. Results stand before the user's words.
    package func turns() throws -> [JSON] {
        var turns: [(role: String, blocks: [JSON])] = []
        for message in intent.turns {
            let role = message.role == .assistant ? "assistant" : "user"
            let blocks = try message.parts.flatMap { marked($0, try self.blocks($0)) }
            if turns.last?.role == role {
                turns[turns.count - 1].blocks += blocks
            } else {
                turns.append((role, blocks))
            }
        }
        trimPrefill(&turns)
        let isResult: (JSON) -> Bool = { $0["toolResult"] != nil }
        return turns.filter { !$0.blocks.isEmpty }.map { turn in
            let blocks = turn.blocks.filter(isResult) + turn.blocks.filter { !isResult($0) }
            return ["role": .string(turn.role), "content": .array(blocks)]
        }
    }

    /// An answer's beginning must not end with white space for Claude models.
    private func trimPrefill(_ turns: inout [(role: String, blocks: [JSON])]) {
        guard isClaude, let last = turns.last, last.role == "assistant", let text = last.blocks.last?["text"]?.string else {
            return
        }
        turns[turns.count - 1].blocks.removeLast()
        let trimmed = DocumentText.withoutTrailingSpace(text)
        if !trimmed.isEmpty { turns[turns.count - 1].blocks.append(["text": .string(trimmed)]) }
    }

    private func marked(_ part: ChatAPI.Part, _ blocks: [JSON]) -> [JSON] {
        guard takesCachePoints, !blocks.isEmpty, let point = CachePoint.json(part.extraJson) else { return blocks }
        return blocks + [point]
    }

    private func blocks(_ part: ChatAPI.Part) throws -> [JSON] {
        switch part.kind {
        case .text, .refusal: return part.text.isEmpty ? [] : [["text": .string(part.text)]]
        case .image: return [["image": try image(part)]]
        case .document: return [["document": try document(part)]]
        case .toolCall:
            let input = try NotExpressible.arguments(part.json, in: Self.dialect)
            return [["toolUse": ["toolUseId": .string(id(part.id)), "name": .string(part.name ?? ""), "input": input]]]
        case .toolResult: return [["toolResult": try result(part)]]
        case .thinking: return thinking(part).map { [["reasoningContent": $0]] } ?? []
        case .raw where isNative: return [try NotExpressible.parse(part.json ?? "null", what: "a content block")]
        case .raw, .audio, .unspecified: throw NotExpressible.kind(part.json, "content part", in: Self.dialect)
        }
    }

    private func id(_ id: String?) -> String { ToolSyntax.id(id, longest: Self.longestID) }

    /// Anthropic's signatures are good for its models here, except that withheld reasoning is written in another way.
    private func thinking(_ part: ChatAPI.Part) -> JSON? {
        guard let signature = part.signature, !signature.isEmpty else { return nil }
        let origin = intent.origin(part)
        if part.redacted { return origin == .bedrock ? ["redactedContent": .string(signature)] : nil }
        guard origin == .bedrock || (origin == .anthropicMessages && isClaude) else { return nil }
        return ["reasoningText": ["text": .string(part.text), "signature": .string(signature)]]
    }

    private func result(_ part: ChatAPI.Part) throws -> JSON {
        let content = try ToolOutput.pieces(part).map { piece -> JSON in
            switch piece {
            case .text(let text): ["text": .string(text)]
            // Converse takes objects only.
            case .json(let json): json.object != nil ? ["json": json] : ["text": .string(json.text())]
            case .media(let part): try blocks(part)[0]
            }
        }
        var result: JSONObject = ["toolUseId": .string(id(part.id)), "content": .array(content)]
        if part.isError { result.append("status", "error") }
        return .object(result)
    }

    private func image(_ part: ChatAPI.Part) throws -> JSON {
        guard case .data(let type, let base64) = try MediaSource(part, Self.dialect, isNative: isNative) else {
            throw NotExpressible.error("An image by URL", in: Self.dialect)
        }
        let formats = ["image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"]
        guard let format = formats[type.lowercased()] else {
            throw NotExpressible.error("An image of type '\(type.prefix(64))'", in: Self.dialect)
        }
        return ["format": .string(format), "source": ["bytes": .string(base64)]]
    }

    private func document(_ part: ChatAPI.Part) throws -> JSON {
        var document: JSONObject
        switch try MediaSource(part, Self.dialect, isNative: isNative) {
        case .url: throw NotExpressible.error("A document by URL", in: Self.dialect)
        case .text(let text): document = ["format": "txt", "source": ["text": .string(text)]]
        case .data(let type, let base64):
            guard let format = Self.formats[type.lowercased()] else {
                throw NotExpressible.error("A document of type '\(type.prefix(64))'", in: Self.dialect)
            }
            document = ["format": .string(format), "source": ["bytes": .string(base64)]]
        }
        document.append("name", .string(Self.documentName(part.name)))
        if DocumentText.wantsCitations(part) { document.append("citations", ["enabled": true]) }
        return .object(document)
    }

    private static let formats = [
        "application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/html": "html", "text/markdown": "md",
        "application/msword": "doc", "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    ]

    /// Letters, digits, single spaces, hyphens and brackets are all that is allowed.
    private static func documentName(_ name: String?) -> String {
        let plain = (name ?? "document").map { character in
            character.isASCII && (character.isLetter || character.isNumber || "-()[]".contains(character)) ? character : " "
        }
        let words = String(plain).split(separator: " ").joined(separator: " ")
        return words.isEmpty ? "document" : String(words.prefix(200))
    }
}
