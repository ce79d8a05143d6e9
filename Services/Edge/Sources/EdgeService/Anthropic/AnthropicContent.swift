import BulkheadAPI
import BulkheadJSON

/// Anthropic's content blocks → canonical. Blocks of other types (what server tools did, search results, stored files) are kept
/// as they are.
enum AnthropicContent {
    static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "text":
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"), extraJson: fields.extra(besides: ["type", "text"]))
        case "image": return try image(fields)
        case "document": return try document(fields)
        case "tool_use":
            guard let input = try fields.fields("input") else { throw fields.missing("input") }
            return ChatAPI.Part(
                kind: .toolCall, id: try fields.requiredString("id"), name: try fields.requiredString("name"), json: input.text,
                extraJson: fields.extra(besides: ["type", "id", "name", "input"]))
        case "tool_result": return try toolResult(fields)
        case "thinking":
            return ChatAPI.Part(
                thinking: try fields.requiredString("thinking"), signature: try fields.string("signature"),
                extraJson: fields.extra(besides: ["type", "thinking", "signature"]))
        case "redacted_thinking":
            return ChatAPI.Part(
                thinking: "", signature: try fields.requiredString("data"), redacted: true,
                extraJson: fields.extra(besides: ["type", "data"]))
        default: return raw(fields)
        }
    }

    private static func raw(_ fields: RequestFields) -> ChatAPI.Part { ChatAPI.Part(kind: .raw, json: fields.text) }

    private static func image(_ fields: RequestFields) throws -> ChatAPI.Part {
        let source = try source(fields)
        let type = try source.requiredString("type")
        let extra = extra(fields, besides: ["type"], ofSource: type)
        switch type {
        case "base64":
            return ChatAPI.Part(
                kind: .image, text: try source.requiredString("data"), mediaType: try source.requiredString("media_type"),
                extraJson: extra)
        case "url": return ChatAPI.Part(kind: .image, url: try source.requiredString("url"), extraJson: extra)
        default: return raw(fields)
        }
    }

    private static func document(_ fields: RequestFields) throws -> ChatAPI.Part {
        let source = try source(fields)
        let type = try source.requiredString("type")
        let (name, extra) = (try fields.string("title"), extra(fields, besides: ["type", "title"], ofSource: type))
        switch type {
        case "base64", "text":
            let (data, media) = (try source.requiredString("data"), try source.requiredString("media_type"))
            if type == "base64", media == "text/plain" {
                // Beside this type stands text only: what is encoded stays a URL.
                return ChatAPI.Part(kind: .document, name: name, url: "data:\(media);base64,\(data)", extraJson: extra)
            }
            return ChatAPI.Part(kind: .document, text: data, name: name, mediaType: media, extraJson: extra)
        case "url":
            return ChatAPI.Part(kind: .document, name: name, url: try source.requiredString("url"), extraJson: extra)
        default: return raw(fields)
        }
    }

    private static func extra(_ fields: RequestFields, besides known: Set<String>, ofSource type: String) -> String? {
        fields.extra(besides: known, inside: ["source": type == "url" ? ["type", "url"] : ["type", "data", "media_type"]])
    }

    private static func source(_ fields: RequestFields) throws -> RequestFields {
        guard let source = try fields.fields("source") else { throw fields.missing("source") }
        return source
    }

    /// Text stays text; blocks that are only text are joined; anything else is passed on as JSON.
    private static func toolResult(_ fields: RequestFields) throws -> ChatAPI.Part {
        var part = ChatAPI.Part(
            kind: .toolResult, id: try fields.requiredString("tool_use_id"), isError: try fields.bool("is_error") ?? false,
            extraJson: fields.extra(besides: ["type", "tool_use_id", "content", "is_error"]))
        guard let content = fields.value("content") else { return part }
        if let text = content.string {
            part.text = text
        } else if let blocks = try fields.list("content") {
            let texts = blocks.compactMap {
                $0.object.count == 2 && $0.object["type"] == "text" ? $0.object["text"]?.string : nil
            }
            if texts.count == blocks.count { part.text = texts.joined(separator: "\n") } else { part.json = content.text() }
        }
        return part
    }
}
