import BulkheadAPI
import BulkheadJSON

/// What a tool returned, in pieces that every dialect can be given.
package enum ToolOutput: Equatable {
    case text(String)
    /// An image or a document.
    case media(ChatAPI.Part)
    /// Data.
    case json(JSON)

    /// The pieces of a result part, whichever client dialect its JSON is in.
    package static func pieces(_ part: ChatAPI.Part) throws -> [ToolOutput] {
        guard let written = part.json, !written.isEmpty else { return [.text(part.text)] }
        let json = try NotExpressible.parse(written, what: "a tool result")
        if let string = json.string { return [.text(string)] }
        guard let blocks = json.array, blocks.allSatisfy({ $0["type"]?.string != nil }), !blocks.isEmpty else {
            return [.json(json)]
        }
        return blocks.map { block in
            if let said = text(block) { return .text(said) }
            return media(block).map { .media($0) } ?? .json(block)
        }
    }

    private static func text(_ block: JSON) -> String? {
        ["text", "input_text", "output_text"].contains(block["type"]?.string) ? block["text"]?.string : nil
    }

    private static func media(_ block: JSON) -> ChatAPI.Part? {
        switch block["type"]?.string {
        case "image", "document": anthropic(block)
        case "input_image": block["image_url"]?.string.map { .init(kind: .image, url: $0) }
        case "image_url": block["image_url"]?["url"]?.string.map { .init(kind: .image, url: $0) }
        default: nil
        }
    }

    private static func anthropic(_ block: JSON) -> ChatAPI.Part? {
        let source = block["source"]
        var part = ChatAPI.Part(kind: block["type"] == "image" ? .image : .document, name: block["title"]?.string)
        switch source?["type"]?.string {
        case "url": part.url = source?["url"]?.string
        case "base64" where source?["media_type"] == "text/plain":
            part.url = "data:text/plain;base64,\(source?["data"]?.string ?? "")"
        case "base64", "text":
            part.mediaType = source?["media_type"]?.string
            part.text = source?["data"]?.string ?? ""
        default: return nil
        }
        return part
    }

    /// All of it as text, media excepted; data as JSON, so that nothing the tool said is lost. A failure says so.
    package static func plainText(_ pieces: [ToolOutput], isError: Bool) -> String {
        let texts = pieces.compactMap { piece in
            switch piece {
            case .text(let text): text
            case .json(let json): json.text()
            case .media: nil
            }
        }
        let text = texts.joined(separator: "\n")
        return isError && !text.lowercased().contains("error") ? "Error: \(text)" : text
    }

    /// The images and documents.
    package static func media(_ pieces: [ToolOutput]) -> [ChatAPI.Part] {
        pieces.compactMap { if case .media(let part) = $0 { part } else { nil } }
    }
}
