import BulkheadAPI

/// Signatures of reasoning as clients see and return them. One of the client's own dialect stands as it is. A foreign one gets
/// a prefix that says who can read it, `bh1.<dialect>.`, by which it finds its way back to a provider of that dialect.
enum SignatureLabel {
    private static let mark = "bh1."
    private static let words: [(dialect: ChatAPI.Dialect, word: String)] = [
        (.openaiChat, "openai"), (.anthropicMessages, "anthropic"), (.openaiResponses, "openai-responses"), (.gemini, "gemini"),
        (.bedrock, "bedrock"),
    ]

    /// A signature as the client sees it.
    /// - Parameters:
    ///   - origin: the dialect of who made it; unspecified counts as the client's own.
    ///   - client: the client's dialect.
    static func shown(_ signature: String, of origin: ChatAPI.Dialect, to client: ChatAPI.Dialect) -> String {
        guard origin != client, let word = words.first(where: { $0.dialect == origin })?.word else { return signature }
        return "\(mark)\(word).\(signature)"
    }

    /// A signature as the client sent it, and whose it is: unspecified without a prefix. A prefix with an unknown word is taken
    /// as part of the signature.
    static func read(_ text: String) -> (signature: String, origin: ChatAPI.Dialect) {
        guard text.hasPrefix(mark) else { return (text, .unspecified) }
        let rest = text.dropFirst(mark.count)
        for (dialect, word) in words where rest.hasPrefix("\(word).") {
            return (String(rest.dropFirst(word.count + 1)), dialect)
        }
        return (text, .unspecified)
    }
}

extension ChatAPI.Part {
    /// Reasoning that a client returns. An empty signature is none.
    init(thinking text: String, signature label: String?, redacted: Bool = false, extraJson: String? = nil) {
        let (signature, origin) = SignatureLabel.read(label ?? "")
        self.init(
            kind: .thinking, text: text, signature: signature.isEmpty ? nil : signature, extraJson: extraJson, origin: origin,
            redacted: redacted)
    }
}
