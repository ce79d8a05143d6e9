import BulkheadAPI
import BulkheadJSON

/// How a Claude model is told to reason, for clients of other dialects. Models from 4.6 on decide themselves and take an
/// effort; older ones take a budget of tokens; those before 3.7 do not reason.
package struct ClaudeThinking {
    /// The member `thinking`; nil to leave it out.
    package private(set) var json: JSON?
    /// `output_config.effort`, or its like.
    package private(set) var effort: String?
    /// Tokens that are to be added to an answer's limit that nobody set.
    package private(set) var budget = 0

    package var isOn: Bool { json?["type"].map { $0 != "disabled" } ?? false }

    /// The smallest budget that is taken, and how much of a limit must be left for the answer.
    private static let smallest = 1024
    private static let reserve = 256

    /// nil when nothing was said, or reasoning cannot be had with this request: forced tools exclude it, and so does a history
    /// whose calls came without signed reasoning.
    package init?(_ intent: ChatIntent, model: String) {
        guard intent.reasoning.isSaid else { return nil }
        let version = ModelFamily.claudeVersion(model)
        if intent.reasoning.isOff {
            json = ["type": "disabled"]
            return
        }
        if let version, version < 307 { return nil }
        guard ![.required, .named].contains(intent.chat.toolMode), !Self.hasUnsignedCalls(intent) else { return nil }
        if let version, version >= 406 {
            json = ["type": "adaptive"]
            effort = intent.reasoning.effortWord.map { $0 == "minimal" ? "low" : $0 == "xhigh" ? "high" : $0 }
            return
        }
        guard let tokens = Self.budget(intent) else { return nil }
        budget = intent.limit == nil ? tokens : 0
        json = ["type": "enabled", "budget_tokens": .int(Int64(tokens))]
    }

    /// The budget must be below the limit of the whole answer.
    private static func budget(_ intent: ChatIntent) -> Int? {
        guard var tokens = intent.reasoning.budgetTokens else { return nil }
        if let limit = intent.limit { tokens = min(tokens, limit - max(reserve, min(limit / 4, 4096))) }
        return tokens >= smallest ? tokens : intent.limit == nil ? smallest : nil
    }

    /// Calls after the user's last words must come with the reasoning that led to them.
    private static func hasUnsignedCalls(_ intent: ChatIntent) -> Bool {
        let turn = intent.turns.reversed().prefix { message in
            message.role == .assistant || message.role == .tool || message.parts.allSatisfy { $0.kind == .toolResult }
        }
        return turn.contains { message in
            message.parts.contains { $0.kind == .toolCall }
                && !message.parts.contains {
                    $0.kind == .thinking && $0.signature != nil && [.anthropicMessages, .bedrock].contains(intent.origin($0))
                }
        }
    }
}
