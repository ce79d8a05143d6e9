import BulkheadAPI
import BulkheadJSON

/// Anthropic's `usage`. It counts input without what came from or went to the prompt cache; output is cumulative in a stream,
/// the last one counts. What a later one leaves out stands.
package struct AnthropicUsage: Sendable, Equatable {
    private var input = 0
    private var cached = 0
    private var created = 0
    private var createdForHour = 0
    private var output = 0

    package mutating func note(_ json: JSONView) {
        input = DecodeBounds.count(json["input_tokens"]) ?? input
        cached = DecodeBounds.count(json["cache_read_input_tokens"]) ?? cached
        created = DecodeBounds.count(json["cache_creation_input_tokens"]) ?? created
        createdForHour = DecodeBounds.count(json["cache_creation"]?["ephemeral_1h_input_tokens"]) ?? createdForHour
        output = DecodeBounds.count(json["output_tokens"]) ?? output
    }

    package var total: ChatAPI.Usage {
        ChatAPI.Usage(
            inputTokens: input + cached + created, outputTokens: output, cachedInputTokens: cached,
            cacheCreationInputTokens: created, cacheCreation1hInputTokens: min(createdForHour, created))
    }
}
