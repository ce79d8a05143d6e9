import BulkheadAPI
import BulkheadCore
import BulkheadJSON

/// Makes a provider's chat request from the canonical one. The answer is always asked for as a stream, so that first-token
/// and silence limits apply to callers who do not stream too.
package enum ChatEncoding {
    /// - Throws: `CallError` INVALID_ARGUMENT when the provider's dialect cannot express the request.
    package static func request(_ chat: ChatAPI.ChatRequest, for target: Target, defaultMaxTokens: Int) throws -> UpstreamRequest
    {
        let intent = try ChatIntent(target.dialect == .openai ? chat : SpeakerNames.spelledOut(chat))
        switch target.dialect {
        case .openai: return try OpenAIRequest.request(intent, target)
        case .openaiResponses: return try ResponsesRequest.request(intent, target)
        case .anthropic: return try AnthropicRequest.request(intent, target, defaultMaxTokens: defaultMaxTokens)
        case .gemini: return try GeminiRequest.request(intent, target)
        case .bedrock: return try BedrockRequest.request(intent, target, defaultMaxTokens: defaultMaxTokens)
        case .builtin:
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "The model '\(target.model)' makes embeddings, not chat answers: use POST /v1/embeddings.")
        }
    }

    /// A request of another kind (embeddings) for a dialect that does not have it here.
    package static func notBuilt(_ target: Target) -> CallError {
        CallError(
            .unimplemented, reason: "dialect_not_supported",
            message:
                "The provider '\(target.provider)' is configured with the dialect \(target.dialect.rawValue), which this version "
                + "can use for chat only: name a model of a provider with the dialect openai.")
    }
}

extension ProviderDialect {
    /// The word for it in answers and in the origin of signatures.
    package var wire: ChatAPI.Dialect {
        switch self {
        case .openai: .openaiChat
        case .openaiResponses: .openaiResponses
        case .anthropic: .anthropicMessages
        case .gemini: .gemini
        case .bedrock: .bedrock
        case .builtin: .unspecified
        }
    }
}
