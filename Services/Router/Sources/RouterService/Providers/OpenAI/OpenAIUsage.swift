import BulkheadAPI
import BulkheadJSON

/// OpenAI's `usage`, of chat completions.
package enum OpenAIUsage {
    /// nil when `json` is absent, null or no usage object.
    package static func decode(_ json: JSONView?) -> ChatAPI.Usage? {
        guard let json, let input = DecodeBounds.count(json["prompt_tokens"]) else { return nil }
        let inputs = json["prompt_tokens_details"]
        let outputs = json["completion_tokens_details"]
        let reasoning = DecodeBounds.count(outputs?["reasoning_tokens"]) ?? 0
        let output = output(json, input: input, reasoning: reasoning)
        let cached = DecodeBounds.count(inputs?["cached_tokens"]) ?? DecodeBounds.count(json["prompt_cache_hit_tokens"]) ?? 0
        return ChatAPI.Usage(
            inputTokens: input, outputTokens: output, cachedInputTokens: min(cached, input),
            cacheCreationInputTokens: min(DecodeBounds.count(inputs?["cache_write_tokens"]) ?? 0, input - min(cached, input)),
            reasoningTokens: min(reasoning, output),
            audioInputTokens: min(DecodeBounds.count(inputs?["audio_tokens"]) ?? 0, input),
            audioOutputTokens: min(DecodeBounds.count(outputs?["audio_tokens"]) ?? 0, output),
            imageInputTokens: min(DecodeBounds.count(inputs?["image_tokens"]) ?? 0, input),
            imageOutputTokens: min(DecodeBounds.count(outputs?["image_tokens"]) ?? 0, output),
            acceptedPredictionTokens: DecodeBounds.count(outputs?["accepted_prediction_tokens"]),
            rejectedPredictionTokens: DecodeBounds.count(outputs?["rejected_prediction_tokens"]))
    }

    /// Some servers count reasoning beside the completion; the total tells.
    private static func output(_ json: JSONView, input: Int, reasoning: Int) -> Int {
        let output = DecodeBounds.count(json["completion_tokens"]) ?? 0
        guard reasoning > 0, let total = DecodeBounds.count(json["total_tokens"]) else { return output }
        return total == input + output + reasoning ? output + reasoning : output
    }
}
