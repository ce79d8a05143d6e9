import BulkheadAPI
import BulkheadJSON

/// How much the model is to reason, whichever way the client's dialect says it.
package struct ReasoningWish: Equatable {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    package private(set) var effort: String?
    /// Tokens; 0: it is not to reason.
    package private(set) var budget: Int?
    /// The client wants to see it: `auto`, `concise`, `detailed`, `full`.
    package private(set) var summary: String?
    /// The model is to decide how much (Anthropic's `adaptive`).
    package private(set) var isAdaptive = false

    /// The budgets that stand for efforts; Google publishes them for its OpenAI-compatible interface.
    private static let budgets: [(effort: String, tokens: Int)] = [
        ("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576), ("xhigh", 32_768), ("max", 32_768),
    ]

    package init(_ chat: ChatAPI.ChatRequest, _ extra: JSONObject) {
        let thinking = extra["thinking"]
        effort =
            chat.reasoningEffort ?? extra["output_config"]?["effort"]?.string ?? extra["reasoning"]?["effort"]?.string
            ?? extra["reasoning_effort"]?.string
        budget = chat.reasoningBudget
        summary = chat.reasoningSummary ?? extra["reasoning"]?["summary"]?.string
        switch thinking?["type"]?.string {
        case "enabled": budget = budget ?? thinking?["budget_tokens"]?.int
        case "disabled": budget = 0
        case "adaptive": isAdaptive = true
        default: break
        }
        // Anthropic shows reasoning that was asked for unless told otherwise.
        if summary == nil, thinking != nil, !isOff, thinking?["display"]?.string != "omitted" { summary = "auto" }
    }

    package var isSaid: Bool { effort != nil || budget != nil || isAdaptive }
    package var isOff: Bool { effort == "none" || (budget.map { $0 <= 0 } ?? false && effort == nil) }

    /// The effort, made of the budget if need be; nil when nothing was said or it is not to reason.
    package var effortWord: String? {
        if isOff { return nil }
        if let effort { return effort }
        guard let budget else { return nil }
        return budget <= 2048 ? "low" : budget <= 16_384 ? "medium" : "high"
    }

    /// The budget, made of the effort if need be; nil when nothing was said or it is not to reason.
    package var budgetTokens: Int? {
        if isOff { return nil }
        if let budget, budget > 0 { return budget }
        return effort.flatMap { effort in Self.budgets.first { $0.effort == effort }?.tokens }
    }
}
