import BulkheadAPI

/// Documents where a dialect has less than the client's.
package enum DocumentText {
    /// A plain text with its title, as a text of the conversation.
    package static func titled(_ title: String?, _ text: String) -> String {
        guard let title, !title.isEmpty else { return text }
        return "\(title)\n\n\(text)"
    }

    /// - Throws: when the client wants citations and the dialect has none.
    package static func checkCitations(_ part: ChatAPI.Part, isNative: Bool, _ dialect: String) throws {
        guard !isNative, wantsCitations(part) else { return }
        throw NotExpressible.error("A document with citations", in: dialect)
    }

    /// The text without white space at its end.
    package static func withoutTrailingSpace(_ text: String) -> String {
        var text = text[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    package static func wantsCitations(_ part: ChatAPI.Part) -> Bool {
        guard let extra = part.extraJson, extra.contains("citations") else { return false }
        return (try? NotExpressible.parse(extra, what: "a document"))?["citations"]?["enabled"]?.bool ?? false
    }
}
