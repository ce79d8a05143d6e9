/// What a tariff other than the standard one makes of a model's price.
package enum TierPrice: Sendable, Equatable {
    /// So many parts of the standard price.
    case share(Int, of: Int)
    case rates(TokenRates)
}

/// Tariffs ("service tiers") of publishers. Sources: those of ModelTable.swift; Anthropic's batches cost half of everything
/// (docs.claude.com/en/docs/build-with-claude/batch-processing), and its priority tier is paid for in advance, not by the token.
enum TierTable {
    /// The tariff an answer was served with, when it is not the standard one.
    /// - Parameter told: as the provider says it; `auto` and OpenAI's `scale` (paid in advance at standard rates) are standard.
    static func charged(_ told: String?) -> String? {
        guard let tier = told?.lowercased(), !standard.contains(tier) else { return nil }
        return tier
    }

    private static let standard: Set<String> = ["", "default", "standard", "auto", "scale", "on_demand"]

    /// Other tariffs of a model of the table, by name; empty when none is known.
    static func tiers(of name: String) -> [String: TierPrice] {
        if name.hasPrefix("claude-") { return ["batch": .share(1, of: 2)] }
        var tiers: [String: TierPrice] = [:]
        if flex.contains(name) { tiers["flex"] = .share(1, of: 2) }
        if let rates = priority[name] { tiers["priority"] = .rates(rates) }
        return tiers
    }

    private static let flex: Set<String> = ["gpt-5.2", "gpt-5.1", "gpt-5", "gpt-5-mini", "gpt-5-nano", "o3", "o4-mini"]

    private static let priority: [String: TokenRates] = [
        "gpt-5.2": ModelTable.rates(3500, 28_000, cached: 350), "gpt-5.1": ModelTable.rates(2500, 20_000, cached: 250),
        "gpt-5.1-codex": ModelTable.rates(2500, 20_000, cached: 250), "gpt-5": ModelTable.rates(2500, 20_000, cached: 250),
        "gpt-5-codex": ModelTable.rates(2500, 20_000, cached: 250), "gpt-5-mini": ModelTable.rates(450, 3600, cached: 45),
        "gpt-4.1": ModelTable.rates(3500, 14_000, cached: 875), "gpt-4.1-mini": ModelTable.rates(700, 2800, cached: 175),
        "gpt-4.1-nano": ModelTable.rates(200, 800, cached: 50), "gpt-4o": ModelTable.rates(4250, 17_000, cached: 2125),
        "gpt-4o-2024-05-13": ModelTable.rates(8750, 26_250), "gpt-4o-mini": ModelTable.rates(250, 1000, cached: 125),
        "o3": ModelTable.rates(3500, 14_000, cached: 875), "o4-mini": ModelTable.rates(2000, 8000, cached: 500),
    ]
}
