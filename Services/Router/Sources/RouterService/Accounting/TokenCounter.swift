import BulkheadAPI

/// Which vocabulary a model counts with.
package enum TokenVocabulary: String, CaseIterable, Sendable {
    case o200k = "o200k_base"
    case cl100k = "cl100k_base"

    private static let olderModels = ["gpt-4", "gpt-3.5", "text-embedding-"]
    private static let newerModels = ["gpt-4o", "gpt-4.1", "gpt-4.5"]

    /// OpenAI's own vocabulary for its models; for all others o200k_base, as the nearest there is.
    package static func of(_ model: String) -> TokenVocabulary {
        let name = ModelName(model).bare
        let isOlder = olderModels.contains { name.hasPrefix($0) } && !newerModels.contains { name.hasPrefix($0) }
        return isOlder ? .cl100k : .o200k
    }
}

/// Counts tokens of what providers do not count.
package final class TokenCounter: Sendable {
    /// About four bytes of English are a token.
    private static let bytesPerToken = 4

    package init() {}

    /// Input tokens of `chat`.
    package func estimate(_ chat: ChatAPI.ChatRequest, _ vocabulary: TokenVocabulary) -> Int {
        let bytes = chat.messages.reduce(0) { sum, message in
            sum + message.parts.reduce(0) { $0 + $1.text.utf8.count + ($1.json?.utf8.count ?? 0) }
        }
        return (bytes + Self.bytesPerToken - 1) / Self.bytesPerToken
    }

    /// Output tokens of `answer`.
    package func estimate(_ answer: AnswerText, _ vocabulary: TokenVocabulary) -> Int {
        (answer.bytes + Self.bytesPerToken - 1) / Self.bytesPerToken
    }
}
