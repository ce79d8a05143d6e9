import BulkheadJSON

extension JSON {
    /// The text of a message's content: a string, or the text parts of a list.
    var messageText: String {
        if let text = string { return text }
        return (array ?? []).compactMap { part in
            part["text"]?.string ?? part["output"]?.string ?? part["content"]?.messageText
        }.joined(separator: "\n")
    }

    /// True if this is a list with a part of the given type.
    func hasPart(_ type: String) -> Bool { array?.contains { $0["type"]?.string == type } ?? false }
}
