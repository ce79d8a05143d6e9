import BulkheadAPI
import BulkheadJSON

/// The `usage` of a response. Inputs and outputs are totals.
package enum ResponsesUsage {
    package static func decode(_ json: JSONView?) -> ChatAPI.Usage? {
        guard let json, let input = DecodeBounds.count(json["input_tokens"]) else { return nil }
        let output = DecodeBounds.count(json["output_tokens"]) ?? 0
        let inputs = json["input_tokens_details"]
        let cached = min(DecodeBounds.count(inputs?["cached_tokens"]) ?? 0, input)
        return ChatAPI.Usage(
            inputTokens: input, outputTokens: output, cachedInputTokens: cached,
            cacheCreationInputTokens: min(DecodeBounds.count(inputs?["cache_write_tokens"]) ?? 0, input - cached),
            reasoningTokens: min(DecodeBounds.count(json["output_tokens_details"]?["reasoning_tokens"]) ?? 0, output))
    }
}
