import BulkheadAPI

/// Signatures of reasoning as clients see and return them. One of the client's own dialect stands as it is. A foreign one gets
/// a prefix that says who can read it, `bh1.<dialect>.`, by which it finds its way back to a provider of that dialect. Where a
/// client's dialect has one form for reasoning that was withheld and reasoning whose text is not shown, the prefix of the former is
/// `bh1.<dialect>.withheld.`
enum SignatureLabel {
    private static let mark = "bh1."
    private static let withheld = "withheld."
    private static let words: [(dialect: ChatAPI.Dialect, word: String)] = [
        (.openaiChat, "openai"), (.anthropicMessages, "anthropic"), (.openaiResponses, "openai-responses"), (.gemini, "gemini"),
        (.bedrock, "bedrock"),
    ]

    /// A signature as the client sees it.
    /// - Parameters:
    ///   - origin: the dialect of who made it; unspecified counts as the client's own.
    ///   - client: the client's dialect.
    ///   - redacted: it is all there is of withheld reasoning, and the client's dialect does not say so beside it.
    static func shown(
        _ signature: String, of origin: ChatAPI.Dialect, to client: ChatAPI.Dialect, redacted: Bool = false
    ) -> String {
        guard origin != client, let word = words.first(where: { $0.dialect == origin })?.word else { return signature }
        return "\(mark)\(word).\(redacted ? withheld : "")\(signature)"
    }

    /// A signature as the client sent it, and whose it is: unspecified without a prefix. A prefix with an unknown word is taken
    /// as part of the signature.
    static func read(_ text: String) -> (signature: String, origin: ChatAPI.Dialect, redacted: Bool) {
        guard text.hasPrefix(mark) else { return (text, .unspecified, false) }
        let rest = text.dropFirst(mark.count)
        for (dialect, word) in words where rest.hasPrefix("\(word).") {
            let signature = rest.dropFirst(word.count + 1)
            let isWithheld = signature.hasPrefix(withheld)
            return (String(isWithheld ? signature.dropFirst(withheld.count) : signature), dialect, isWithheld)
        }
        return (text, .unspecified, false)
    }
}

extension ChatAPI.Part {
    /// Reasoning that a client returns. An empty signature is none.
    init(thinking text: String, signature label: String?, redacted: Bool = false, extraJson: String? = nil) {
        let (signature, origin, isWithheld) = SignatureLabel.read(label ?? "")
        self.init(
            kind: .thinking, text: text, signature: signature.isEmpty ? nil : signature, extraJson: extraJson, origin: origin,
            redacted: redacted || isWithheld)
    }
}
