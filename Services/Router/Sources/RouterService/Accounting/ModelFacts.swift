/// What a model can take and give, as far as it is known: nil is unknown, and then nobody is kept from trying.
package struct ModelFacts: Sendable, Equatable {
    /// Tokens of input and output together.
    package var contextWindow: Int?
    /// The most output tokens of one answer, reasoning included.
    package var maxOutput: Int?
    package var takesTools: Bool?
    package var takesImages: Bool?
    /// An answer that was begun for it is continued.
    package var takesPrefill: Bool?
    /// It can reason before it answers.
    package var reasons: Bool?
    /// OpenAI serves it at `/v1/responses`, and not at `/v1/chat/completions`.
    package var isOnResponsesOnly: Bool

    package init(
        contextWindow: Int? = nil, maxOutput: Int? = nil, takesTools: Bool? = nil, takesImages: Bool? = nil,
        takesPrefill: Bool? = nil, reasons: Bool? = nil, isOnResponsesOnly: Bool = false
    ) {
        self.contextWindow = contextWindow
        self.maxOutput = maxOutput
        self.takesTools = takesTools
        self.takesImages = takesImages
        self.takesPrefill = takesPrefill
        self.reasons = reasons
        self.isOnResponsesOnly = isOnResponsesOnly
    }

    /// These facts, with what is unknown taken from `others`.
    package func filled(from others: ModelFacts) -> ModelFacts {
        ModelFacts(
            contextWindow: contextWindow ?? others.contextWindow, maxOutput: maxOutput ?? others.maxOutput,
            takesTools: takesTools ?? others.takesTools, takesImages: takesImages ?? others.takesImages,
            takesPrefill: takesPrefill ?? others.takesPrefill, reasons: reasons ?? others.reasons,
            isOnResponsesOnly: isOnResponsesOnly || others.isOnResponsesOnly)
    }
}

/// A price and from when on it holds.
package struct DatedPrice: Sendable, Equatable {
    /// Seconds since 1970; 0: from the beginning.
    package var effective: Int
    package var price: TokenPrice
    /// It is what is paid whatever the tariff: an operator's own.
    package var isForEveryTier: Bool

    package init(_ price: TokenPrice, effective: Int = 0, isForEveryTier: Bool = false) {
        self.price = price
        self.effective = effective
        self.isForEveryTier = isForEveryTier
    }
}

/// What the catalog has under one name.
package struct ModelEntry: Sendable, Equatable {
    package var facts: ModelFacts
    /// The earliest first; empty when no price is known.
    package var prices: [DatedPrice]
    /// Anthropic's rule from Claude 4.5 on: endpoints of clouds that stay in a region cost a tenth more than the global ones.
    package var hasRegionalPremium: Bool
    /// Other tariffs than the standard one, by name; one that is not here has no known price.
    package var tiers: [String: TierPrice] = [:]

    package init(_ facts: ModelFacts = ModelFacts(), prices: [DatedPrice] = [], hasRegionalPremium: Bool = false) {
        self.facts = facts
        self.prices = prices.sorted { $0.effective < $1.effective }
        self.hasRegionalPremium = hasRegionalPremium
    }

    /// The price in force at a time; nil when there is none yet, or none is known for the tariff.
    /// - Parameter tier: nil for the standard one.
    package func price(at seconds: Int, tier: String? = nil) -> TokenPrice? {
        guard let dated = prices.last(where: { $0.effective <= seconds }) else { return nil }
        guard let tier, !dated.isForEveryTier else { return dated.price }
        switch tiers[tier] {
        case nil: return nil
        case .share(let part, let whole): return dated.price.scaled(part, over: whole)
        case .rates(let rates): return TokenPrice(rates)
        }
    }
}
