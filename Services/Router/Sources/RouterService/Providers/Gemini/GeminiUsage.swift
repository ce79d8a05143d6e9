import BulkheadAPI
import BulkheadJSON

/// Gemini's `usageMetadata`, cumulative on every chunk. Thoughts and the results of built-in tools are counted beside.
package enum GeminiUsage {
    package static func decode(_ json: JSONView?) -> ChatAPI.Usage? {
        guard let json, let prompt = DecodeBounds.count(json["promptTokenCount"]) else { return nil }
        let input = prompt + (DecodeBounds.count(json["toolUsePromptTokenCount"]) ?? 0)
        let thoughts = DecodeBounds.count(json["thoughtsTokenCount"]) ?? 0
        let output = (DecodeBounds.count(json["candidatesTokenCount"]) ?? 0) + thoughts
        return ChatAPI.Usage(
            inputTokens: input, outputTokens: output,
            cachedInputTokens: min(DecodeBounds.count(json["cachedContentTokenCount"]) ?? 0, input), reasoningTokens: thoughts,
            audioInputTokens: min(count("AUDIO", json["promptTokensDetails"]), input),
            audioOutputTokens: min(count("AUDIO", json["candidatesTokensDetails"]), output),
            imageInputTokens: min(count("IMAGE", json["promptTokensDetails"]), input),
            imageOutputTokens: min(count("IMAGE", json["candidatesTokensDetails"]), output),
            cachedAudioInputTokens: min(count("AUDIO", json["cacheTokensDetails"]), input))
    }

    private static func count(_ modality: String, _ details: JSONView?) -> Int {
        let entry = details?.elements.first { $0["modality"]?.string == modality }
        return DecodeBounds.count(entry?["tokenCount"]) ?? 0
    }
}
