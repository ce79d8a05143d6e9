import BulkheadAPI
import BulkheadJSON

/// OpenAI's content parts → canonical.
enum OpenAIContent {
    static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "text":
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"), extraJson: fields.extra(besides: ["type", "text"]))
        case "refusal":
            return ChatAPI.Part(
                kind: .refusal, text: try fields.requiredString("refusal"), extraJson: fields.extra(besides: ["type", "refusal"]))
        case "image_url":
            guard let image = try fields.fields("image_url") else { throw fields.missing("image_url") }
            return ChatAPI.Part(
                kind: .image, url: try image.requiredString("url"),
                extraJson: fields.extra(besides: ["type"], inside: ["image_url": ["url"]]))
        case "file":
            guard let file = try fields.fields("file") else { throw fields.missing("file") }
            let extra = fields.extra(besides: ["type"], inside: ["file": ["file_data", "filename"]])
            return document(try file.string("file_data"), name: try file.string("filename"), extra) ?? raw(fields)
        case "input_audio": return try sound(fields)
        default: return raw(fields)
        }
    }

    /// A part the canonical form does not model.
    static func raw(_ fields: RequestFields) -> ChatAPI.Part { ChatAPI.Part(kind: .raw, json: fields.text) }

    /// A document given as a data URL; nil for one that is not (stored at the provider). A plain text stays a URL: beside its
    /// type stands text only, and whether these bytes are any is for those to see who need it.
    static func document(_ data: String?, name: String?, _ extra: String?) -> ChatAPI.Part? {
        guard let data, let url = DataURL(data) else { return nil }
        if url.mediaType == "text/plain" { return ChatAPI.Part(kind: .document, name: name, url: data, extraJson: extra) }
        return ChatAPI.Part(kind: .document, text: url.base64, name: name, mediaType: url.mediaType, extraJson: extra)
    }

    /// Sound; raw where its form is not known.
    static func sound(_ fields: RequestFields) throws -> ChatAPI.Part {
        guard let audio = try fields.fields("input_audio") else { throw fields.missing("input_audio") }
        let types = ["wav": "audio/wav", "mp3": "audio/mpeg"]
        guard let type = types[try audio.requiredString("format")] else { return raw(fields) }
        return ChatAPI.Part(
            kind: .audio, text: try audio.requiredString("data"), mediaType: type,
            extraJson: fields.extra(besides: ["type"], inside: ["input_audio": ["data", "format"]]))
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
