import BulkheadAPI
import BulkheadJSON

/// What becomes of members of a request that only the client's dialect has, when the provider speaks another one: what is
/// translated elsewhere or does not change what the answer means is left out; anything else makes the target unfit, wherever in
/// the request it stands.
package enum ForeignMembers {
    private static let schema = [String: MemberRule](leftOut: "type", "name", "description", "schema", "strict")
    private static let format = schema.adding(["json_schema": .members(schema)])

    /// Labels, prices, speed and storage at the provider, and sampling: wishes.
    private static let wishes = [String: MemberRule](
        leftOut: "metadata", "service_tier", "store", "prompt_cache_key", "prompt_cache_retention", "prediction", "verbosity",
        "logit_bias", "safety_identifier", "user", "top_k", "min_p", "top_a", "repetition_penalty", "seed", "cache_control",
        "speed", "context_management", "truncation", "max_tool_calls", "top_logprobs", "temperature", "top_p"
    ).adding(["stream_options": .members([String: MemberRule](leftOut: "include_usage", "include_obfuscation"))])
    /// Understood by `ChatIntent`.
    private static let understood = [String: MemberRule](
        leftOut: "max_tokens", "max_completion_tokens", "max_output_tokens", "reasoning_effort"
    ).adding([
        "thinking": .members([String: MemberRule](leftOut: "type", "budget_tokens", "display")),
        "reasoning": .members([String: MemberRule](leftOut: "effort", "summary", "generate_summary")),
        "output_config": .members([String: MemberRule](leftOut: "effort").adding(["format": .members(format)])),
        "output_format": .members(format), "response_format": .members(format),
        "text": .members([String: MemberRule](leftOut: "verbosity").adding(["format": .members(format)])),
    ])
    /// A choice of a tool is among these members only where it has another one that the canonical form does not model.
    private static let choice: [String: MemberRule] = [
        "tool_choice": .members(
            [String: MemberRule](leftOut: "type", "name", "disable_parallel_tool_use").adding([
                "function": .members([String: MemberRule](leftOut: "name"))
            ]))
    ]
    /// Members that may have these values, which are the same as leaving them out.
    private static let harmless: [String: MemberRule] = [
        "modalities": .only([["text"]]), "background": .only([false]), "mcp_servers": .only([[]]), "functions": .only([[]]),
        // What the client wants to be told besides; not having it changes nothing of the answer.
        "include": .words(["reasoning.encrypted_content", "message.output_text.logprobs"]),
    ]
    private static let request = wishes.adding(understood).adding(choice).adding(harmless)

    /// - Throws: `CallError` INVALID_ARGUMENT for the first member that cannot be left out.
    package static func check(_ intent: ChatIntent, _ dialect: String) throws {
        try refuse(request.firstUnfit(in: intent.extra), of: nil, dialect)
        if let choice = intent.extra["tool_choice"] {
            throw NotExpressible.untranslated("A tool_choice of type '\(choice["type"]?.string?.prefix(64) ?? "")'", in: dialect)
        }
        if let text = intent.chat.responseFormatJson, let written = try NotExpressible.parse(text, what: "response_format").object
        {
            try refuse(format.firstUnfit(in: written).map { "response_format.\($0)" }, of: nil, dialect)
        }
        for message in intent.chat.messages { try ForeignParts.check(message, dialect) }
        for tool in intent.chat.tools { try ForeignParts.check(tool, dialect) }
    }

    /// - Parameter place: what the member belongs to; nil for the request itself.
    static func refuse(_ member: String?, of place: String?, _ dialect: String) throws {
        guard let member else { return }
        throw NotExpressible.untranslated("The member '\(member)'\(place.map { " of \($0)" } ?? "")", in: dialect)
    }
}
