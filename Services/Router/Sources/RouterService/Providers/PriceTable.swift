import BulkheadAPI

/// What one token costs, in nano-dollars: a price of $1.25 per million tokens is 1250.
package struct TokenPrice: Sendable, Equatable {
    package var input: Int
    package var output: Int
    /// Input tokens read from the provider's prompt cache.
    package var cachedInput: Int
    /// Input tokens written to it (Anthropic, five minutes).
    package var cacheCreation: Int

    package init(_ input: Int, _ output: Int, cached: Int? = nil, creation: Int? = nil) {
        self.input = input
        self.output = output
        cachedInput = cached ?? input
        cacheCreation = creation ?? input
    }

    /// Nano-dollars for `usage`.
    package func cost(_ usage: ChatAPI.Usage) -> Int {
        let special = usage.cachedInputTokens + usage.cacheCreationInputTokens
        let plain = max(0, usage.inputTokens - special)
        return plain * input + usage.cachedInputTokens * cachedInput + usage.cacheCreationInputTokens * cacheCreation
            + usage.outputTokens * output
    }
}

/// List prices for standard text tokens, without batch, priority and regional tariffs.
///
/// As published up to January 2026 at openai.com/api/pricing and claude.com/pricing#api. A model that is not here has no price:
/// none is better than a wrong one.
package enum PriceTable {
    /// The price of `model`: the longest name that begins it, where only a date or `latest` may follow the name.
    package static func price(_ model: String) -> TokenPrice? {
        prices.filter { isVersion(of: $0.key, model) }.max { $0.key.utf8.count < $1.key.utf8.count }?.value
    }

    /// Nano-dollars for `usage` of `model`; nil when its price is not known.
    package static func cost(_ model: String, _ usage: ChatAPI.Usage) -> Int? { price(model)?.cost(usage) }

    private static func isVersion(of name: String, _ model: String) -> Bool {
        guard model.hasPrefix(name) else { return false }
        let rest = model.dropFirst(name.count)
        if rest.isEmpty || rest == "-latest" { return true }
        // `-20250514`, `-2025-08-07`, `-0613`; not the `-5` of the next version.
        let digits = rest.filter(\.isWholeNumber).count
        return rest.hasPrefix("-") && (digits == 8 || digits == 4) && rest.allSatisfy { $0.isWholeNumber || $0 == "-" }
    }

    private static func anthropic(_ input: Int, _ output: Int) -> TokenPrice {
        TokenPrice(input, output, cached: input / 10, creation: input * 5 / 4)
    }

    private static let prices: [String: TokenPrice] = [
        "gpt-5.2": TokenPrice(1750, 14_000, cached: 175),
        "gpt-5.1": TokenPrice(1250, 10_000, cached: 125),
        "gpt-5": TokenPrice(1250, 10_000, cached: 125),
        "gpt-5-chat": TokenPrice(1250, 10_000, cached: 125),
        "gpt-5-mini": TokenPrice(250, 2000, cached: 25),
        "gpt-5-nano": TokenPrice(50, 400, cached: 5),
        "gpt-5-pro": TokenPrice(15_000, 120_000),
        "gpt-4.1": TokenPrice(2000, 8000, cached: 500),
        "gpt-4.1-mini": TokenPrice(400, 1600, cached: 100),
        "gpt-4.1-nano": TokenPrice(100, 400, cached: 25),
        "gpt-4o": TokenPrice(2500, 10_000, cached: 1250),
        "gpt-4o-mini": TokenPrice(150, 600, cached: 75),
        "chatgpt-4o": TokenPrice(5000, 15_000),
        "gpt-4-turbo": TokenPrice(10_000, 30_000),
        "gpt-4": TokenPrice(30_000, 60_000),
        "gpt-3.5-turbo": TokenPrice(500, 1500),
        "o1": TokenPrice(15_000, 60_000, cached: 7500),
        "o1-mini": TokenPrice(1100, 4400, cached: 550),
        "o1-pro": TokenPrice(150_000, 600_000),
        "o3": TokenPrice(2000, 8000, cached: 500),
        "o3-mini": TokenPrice(1100, 4400, cached: 550),
        "o3-pro": TokenPrice(20_000, 80_000),
        "o4-mini": TokenPrice(1100, 4400, cached: 275),
        "text-embedding-3-small": TokenPrice(20, 0),
        "text-embedding-3-large": TokenPrice(130, 0),
        "text-embedding-ada-002": TokenPrice(100, 0),
        "claude-opus-4-5": anthropic(5000, 25_000),
        "claude-opus-4-1": anthropic(15_000, 75_000),
        "claude-opus-4": anthropic(15_000, 75_000),
        "claude-sonnet-4-5": anthropic(3000, 15_000),
        "claude-sonnet-4": anthropic(3000, 15_000),
        "claude-haiku-4-5": anthropic(1000, 5000),
        "claude-3-7-sonnet": anthropic(3000, 15_000),
        "claude-3-5-sonnet": anthropic(3000, 15_000),
        "claude-3-5-haiku": anthropic(800, 4000),
        "claude-3-opus": anthropic(15_000, 75_000),
        "claude-3-haiku": TokenPrice(250, 1250, cached: 30, creation: 300),
        RoutingTable.builtinModel: TokenPrice(0, 0),
    ]
}
