import BulkheadAPI
import BulkheadJSON

/// What becomes of members of a request that only the client's dialect has, when the provider speaks another one: what is
/// translated elsewhere or does not change what the answer means is left out; anything else makes the target unfit.
package enum ForeignMembers {
    /// Labels, prices, speed and storage at the provider, and sampling: wishes.
    private static let wishes: Set<String> = [
        "metadata", "service_tier", "store", "prompt_cache_key", "prompt_cache_retention", "prediction", "verbosity",
        "logit_bias", "safety_identifier", "user", "stream_options", "top_k", "min_p", "top_a", "repetition_penalty", "seed",
        "cache_control", "speed", "context_management", "truncation", "max_tool_calls", "top_logprobs", "temperature", "top_p",
    ]
    /// Understood by `ChatIntent`.
    private static let understood: Set<String> = [
        "max_completion_tokens", "max_output_tokens", "thinking", "output_config", "output_format", "reasoning",
        "reasoning_effort", "text", "response_format",
    ]
    /// Members that may have these values, which are the same as leaving them out.
    private static let harmless: [String: [JSON]] = [
        "modalities": [["text"]], "background": [false], "mcp_servers": [[]], "functions": [[]],
    ]
    /// What the client wants to be told besides; not having it changes nothing of the answer.
    private static let includes: Set<String> = ["reasoning.encrypted_content", "message.output_text.logprobs"]

    /// - Parameter taken: members the dialect takes itself.
    /// - Throws: `CallError` INVALID_ARGUMENT for the first member that cannot be left out.
    package static func check(_ intent: ChatIntent, taken: Set<String> = [], _ dialect: String) throws {
        for (name, value) in intent.extra {
            if wishes.contains(name) || understood.contains(name) || taken.contains(name) { continue }
            if harmless[name]?.contains(value) == true || isIncludes(name, value) { continue }
            throw NotExpressible.error("The member '\(name.prefix(64))'", in: dialect)
        }
        for message in intent.chat.messages where message.extraJson?.contains("\"audio\"") == true {
            throw NotExpressible.error("A message that refers to stored audio", in: dialect)
        }
    }

    private static func isIncludes(_ name: String, _ value: JSON) -> Bool {
        name == "include" && value.array?.allSatisfy { includes.contains($0.string ?? "") } == true
    }
}
