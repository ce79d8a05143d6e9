/// What is known of models by their names, where providers refuse what they do not have. A name that is not known is taken
/// to have everything.
package enum ModelFamily {
    /// OpenAI's reasoning models: no sampling parameters, `max_completion_tokens`.
    package static func isOpenAIReasoning(_ model: String) -> Bool {
        let name = base(model)
        return ["o1", "o3", "o4", "gpt-5"].contains { name.hasPrefix($0) } && !name.hasPrefix("gpt-5-chat")
    }

    /// OpenAI's own models that do not reason: they refuse `reasoning_effort`.
    package static func isOpenAIPlain(_ model: String) -> Bool {
        let name = base(model)
        return ["gpt-3", "gpt-4", "chatgpt-", "gpt-5-chat"].contains { name.hasPrefix($0) }
    }

    /// Gemini before 2.5, and Gemma: no thinkingConfig.
    package static func isGeminiPlain(_ model: String) -> Bool {
        ["gemini-1", "gemini-2.0", "gemma"].contains { base(model).hasPrefix($0) }
    }

    /// Gemini 3 and later take a level of thinking instead of a budget.
    package static func takesThinkingLevel(_ model: String) -> Bool { base(model).hasPrefix("gemini-3") }

    package static func isClaude(_ model: String) -> Bool { model.contains("claude") }

    /// Major and minor version of a Claude model in hundredths (`claude-opus-4-6` is 406, `claude-3-7-sonnet` 307); nil when
    /// the name does not say.
    package static func claudeVersion(_ model: String) -> Int? {
        guard let start = model.firstRange(of: "claude-") else { return nil }
        let words = model[start.upperBound...].split { "-.@:".contains($0) }
        guard let place = words.firstIndex(where: { isVersion($0) }), let major = Int(words[place]) else { return nil }
        let next = words.index(after: place)
        let minor = next < words.endIndex && isVersion(words[next]) ? Int(words[next]) ?? 0 : 0
        return major * 100 + minor
    }

    /// One or two digits; dates have more.
    private static func isVersion(_ word: Substring) -> Bool { word.count <= 2 && word.allSatisfy(\.isNumber) }

    /// Without what stands before a slash, as in `openai/gpt-4o`.
    private static func base(_ model: String) -> Substring { model.split(separator: "/").last ?? model[...] }
}
