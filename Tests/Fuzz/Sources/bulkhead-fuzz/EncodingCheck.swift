import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import RouterService

/// A canonical request becomes a request of every dialect, or is refused in bounded words.
enum EncodingCheck {
    /// A schema may be written in twice, escaped; a call's result that is no object gets one around it.
    private static let (most, mostGrowth) = (4096, 32)
    private static let mostWords = 600
    private static let targets: [(ProviderDialect, String)] = [
        (.openai, "gpt-5"), (.openai, "gpt-4o"), (.openaiResponses, "o3"), (.anthropic, "claude-sonnet-4-5"),
        (.anthropic, "claude-3-haiku"), (.gemini, "gemini-2.5-pro"), (.gemini, "gemini-3-pro"),
        (.bedrock, "anthropic.claude-sonnet-4-5-v1:0"), (.bedrock, "amazon.nova-pro-v1:0"),
    ]

    /// - Parameter count: bytes of the client's request.
    static func check(_ chat: ChatAPI.ChatRequest, _ count: Int) throws {
        for (dialect, model) in targets {
            let target = Target(provider: "p", destination: "d", dialect: dialect, model: model)
            let made: UpstreamRequest
            do {
                made = try ChatEncoding.request(chat, for: target, defaultMaxTokens: 4096)
            } catch let refusal as CallError {
                try promise(refusal.code == .invalidArgument, "refused with \(refusal)")
                try promise(refusal.message.utf8.count <= mostWords, "too many words: \(refusal)")
                continue
            }
            let size = made.body.readableBytes
            try promise(size <= most + mostGrowth * count, "\(count) bytes became \(size) for \(dialect)")
            let body = try? JSON.parse(made.body, maxDepth: JSON.deepestNesting)
            try promise(body?.object != nil, "no object for \(dialect): \(String(buffer: made.body))")
            try promise(
                made.path.hasPrefix("/") && made.path.utf8.allSatisfy { (0x21 ... 0x7e).contains($0) }, "path \(made.path)")
        }
    }
}
