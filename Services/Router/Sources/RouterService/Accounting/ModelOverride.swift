import BulkheadConfig

/// One entry of `router.model_info`: what the operator knows better.
package struct ModelOverride: Sendable, Equatable {
    /// As the provider names it; versions of it are meant too.
    package var model: String
    package var facts: ModelFacts
    package var price: DatedPrice?

    package init(model: String, facts: ModelFacts = ModelFacts(), price: DatedPrice? = nil) {
        self.model = model
        self.facts = facts
        self.price = price
    }

    package init(section: ConfigSection) {
        model = section.requiredString("model")
        let tokens = 1 ... 1_000_000_000
        facts = ModelFacts(
            contextWindow: section.optionalInt("context", in: tokens), maxOutput: section.optionalInt("max_output", in: tokens),
            takesTools: Self.flag("tools", section), takesImages: Self.flag("images", section),
            takesPrefill: Self.flag("prefill", section))
        price = section.contains("price") ? Self.price(section.section("price")) : nil
        if let context = facts.contextWindow, let output = facts.maxOutput, output > context {
            section.report("max_output", found: "\(output)", expected: "at most the context, \(context) tokens")
        }
    }

    /// Reads `router.model_info`. A model may stand there several times, with prices of different dates.
    package static func all(_ section: ConfigSection) -> [ModelOverride] {
        let sections = section.list("model_info")
        let overrides = sections.map { ModelOverride(section: $0) }
        var seen: Set<String> = []
        for (section, override) in zip(sections, overrides) where !override.model.isEmpty {
            if !seen.insert("\(override.price?.effective ?? 0) \(ModelName(override.model).bare)").inserted {
                section.report(
                    "model", found: override.model,
                    expected: "each model once, or prices with different `effective` dates; an entry above says the same")
            }
        }
        return overrides
    }

    /// `entry` with what this says over it.
    package func applied(to entry: ModelEntry) -> ModelEntry {
        var prices = entry.prices
        if let price {
            // From its date on, the operator's price holds against every list price.
            prices = prices.filter { $0.effective < price.effective } + [price]
        }
        // A price of the operator's is what he pays, wherever the model runs.
        var applied = ModelEntry(
            facts.filled(from: entry.facts), prices: prices, hasRegionalPremium: price == nil && entry.hasRegionalPremium)
        applied.tiers = entry.tiers
        return applied
    }

    private static func flag(_ key: String, _ section: ConfigSection) -> Bool? {
        section.contains(key) ? section.bool(key, default: false) : nil
    }

    /// US dollars per million tokens are micro-dollars times a million: pico-dollars per token.
    private static func price(_ section: ConfigSection) -> DatedPrice {
        func rate(_ key: String) -> Int? {
            section.optionalDouble(key, in: 0 ... 1_000_000).map { Int(($0 * 1_000_000).rounded()) }
        }
        for key in ["input", "output"] where !section.contains(key) {
            section.report(key, found: "nothing", expected: "US dollars per million tokens; 0 when they cost nothing")
        }
        let input = rate("input") ?? 0
        let write = rate("cache_write")
        let rates = TokenRates(
            input: input, output: rate("output") ?? 0, cachedInput: rate("cached_input"), cacheWrite: write,
            // What is kept for an hour costs Anthropic's customers 2 against 1.25 times the input.
            cacheWrite1h: write.map { $0 * 8 / 5 }, audioInput: input, audioOutput: rate("output"), imageOutput: rate("output"))
        return DatedPrice(TokenPrice(rates), effective: effective(section), isForEveryTier: true)
    }

    private static func effective(_ section: ConfigSection) -> Int {
        guard let text = section.optionalString("effective") else { return 0 }
        guard let seconds = CalendarDay.seconds(text) else {
            section.report("effective", found: text, expected: "a date such as 2026-01-31; the price holds from its start in UTC")
            return 0
        }
        return seconds
    }
}
