import BulkheadAPI
import BulkheadJSON

/// OpenAI's content parts → canonical.
enum OpenAIContent {
    static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "text":
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"), extraJson: fields.extra(besides: ["type", "text"]))
        case "refusal": return ChatAPI.Part(kind: .refusal, text: try fields.requiredString("refusal"))
        case "image_url":
            guard let image = try fields.fields("image_url") else { throw fields.missing("image_url") }
            return ChatAPI.Part(kind: .image, url: try image.requiredString("url"), extraJson: image.extra(besides: ["url"]))
        case "file":
            guard let file = try fields.fields("file") else { throw fields.missing("file") }
            return document(try file.string("file_data"), name: try file.string("filename")) ?? raw(fields)
        case "input_audio":
            guard let audio = try fields.fields("input_audio") else { throw fields.missing("input_audio") }
            return try sound(audio) ?? raw(fields)
        default: return raw(fields)
        }
    }

    /// A part the canonical form does not model.
    static func raw(_ fields: RequestFields) -> ChatAPI.Part { ChatAPI.Part(kind: .raw, json: fields.text) }

    /// A document given as a data URL; nil for one that is not (stored at the provider).
    static func document(_ data: String?, name: String?) -> ChatAPI.Part? {
        guard let data, let url = DataURL(data) else { return nil }
        return ChatAPI.Part(kind: .document, text: url.base64, name: name, mediaType: url.mediaType)
    }

    /// Sound of a known form; nil for others.
    static func sound(_ audio: RequestFields) throws -> ChatAPI.Part? {
        let types = ["wav": "audio/wav", "mp3": "audio/mpeg"]
        guard let type = types[try audio.requiredString("format")] else { return nil }
        return ChatAPI.Part(kind: .audio, text: try audio.requiredString("data"), mediaType: type)
    }
}

/// `data:<media type>;base64,<data>` (RFC 2397); other encodings are not read.
struct DataURL {
    let mediaType: String
    let base64: String

    init?(_ text: String) {
        guard text.hasPrefix("data:"), let comma = text.firstIndex(of: ",") else { return nil }
        let head = text[text.index(text.startIndex, offsetBy: 5) ..< comma]
        guard head.hasSuffix(";base64") else { return nil }
        mediaType = String(head.prefix { $0 != ";" })
        base64 = String(text[text.index(after: comma)...])
        guard !mediaType.isEmpty else { return nil }
    }
}
