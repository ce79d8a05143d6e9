import BulkheadAPI
import BulkheadTokens

extension TokenVocabulary {
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
package struct TokenCounter: Sendable {
    private let shelf: VocabularyShelf

    /// About four bytes of English are a token: what is counted with when there is no vocabulary.
    private static let bytesPerToken = 4
    /// Bytes that are counted on the event loop, in 1 to 5 ms; the rest is taken to be like them.
    private static let sampled = 32 << 10
    /// Bytes that are counted exactly off the loop, and of larger chats about: threads that block are few.
    private static let countedWhole = 512 << 10
    private static let countedInParts = 2 << 20

    /// - Parameter shelf: without vocabularies, four bytes are a token.
    package init(_ shelf: VocabularyShelf = .empty) { self.shelf = shelf }

    /// Input tokens of `chat`, about. Counts at most a sample.
    package func estimate(_ chat: ChatAPI.ChatRequest, _ vocabulary: TokenVocabulary) -> Int {
        let tokens = ChatTokens(chat)
        return tokens.fixed + estimate(tokens.texts, vocabulary)
    }

    /// Tokens of `texts`, about. Counts at most a sample.
    package func estimate(_ texts: [String], _ vocabulary: TokenVocabulary) -> Int {
        Self.sampled(texts, shelf.ready(vocabulary), limit: Self.sampled)
    }

    /// Tokens of `texts`, of which at most `limit` bytes are looked at.
    private static func sampled(_ texts: [String], _ tokenizer: Tokenizer?, limit: Int) -> Int {
        var room = limit
        var counted = 0
        if let tokenizer {
            for text in texts where room > 0 {
                let sample = text.utf8.count <= room ? text : String(decoding: text.utf8.prefix(room), as: UTF8.self)
                counted += tokenizer.estimate(sample)
                room -= min(room, text.utf8.count)
            }
        }
        return scaled(counted, of: limit - room, to: bytes(texts))
    }

    private static func bytes(_ texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count } }

    /// Output tokens of `answer`, about.
    package func estimate(_ answer: AnswerText, _ vocabulary: TokenVocabulary) -> Int {
        let counted = shelf.ready(vocabulary)?.estimate(answer.sample)
        return Self.scaled(counted ?? 0, of: counted == nil ? 0 : answer.sample.utf8.count, to: answer.bytes)
    }

    /// Input tokens of `chat` with the model's vocabulary. Blocks, for half a second at most.
    package func count(_ chat: ChatAPI.ChatRequest, _ vocabulary: TokenVocabulary) -> Int {
        let tokens = ChatTokens(chat)
        let tokenizer = shelf.open(vocabulary)
        guard let tokenizer, Self.bytes(tokens.texts) <= Self.countedWhole else {
            return tokens.fixed + Self.sampled(tokens.texts, tokenizer, limit: Self.countedInParts)
        }
        return tokens.texts.reduce(tokens.fixed) { $0 + tokenizer.count($1) }
    }

    /// Tokens of `bytes`, when `sample` bytes of them have `counted`.
    private static func scaled(_ counted: Int, of sample: Int, to bytes: Int) -> Int {
        guard sample > 0 else { return (bytes + bytesPerToken - 1) / bytesPerToken }
        return sample >= bytes ? counted : Int((Double(counted) * Double(bytes) / Double(sample)).rounded(.up))
    }
}
