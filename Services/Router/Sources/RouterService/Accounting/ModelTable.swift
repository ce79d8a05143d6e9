// Facts and list prices of models, written down here by hand, as published up to 2026-01-31. Sources, one page per publisher:
//   OpenAI     platform.openai.com/docs/pricing, platform.openai.com/docs/models, platform.openai.com/docs/guides/moderation
//   Anthropic  docs.claude.com/en/docs/about-claude/pricing, docs.claude.com/en/docs/about-claude/models/overview
//   Google     ai.google.dev/gemini-api/docs/pricing, ai.google.dev/gemini-api/docs/models
//   Amazon     docs.aws.amazon.com/nova/latest/userguide/what-is-nova.html
// Prices and limits are facts the publishers state for everyone; no database of others was copied, and this file has the licence
// of the product. Standard tariffs here, others in TierTable.swift; no fees per call of a server-side tool.
// A model that is not here has no price: none is better than a wrong one. `router.model_info` adds and corrects.

/// The built-in table by name; versions of a name (a date, a revision, `latest`) need no entry of their own.
enum ModelTable {
    static let entries = Dictionary(
        (openAI + anthropic + google + amazon + own).flatMap { row in
            row.names.map { name in
                var entry = row.entry
                entry.tiers = TierTable.tiers(of: name)
                return (name, entry)
            }
        },
        uniquingKeysWith: { first, _ in first })

    /// Names under which a publisher's models can be asked for. What stands for a family in the table (`claude-3-7-sonnet`) is
    /// none: its members have a date or `latest` at the end.
    static let names = Set(entries.keys.map { families[$0] ?? $0 }).filter { !$0.isEmpty }.sorted()

    /// Entries that are no names of models, each with a name of the family; empty where none holds for long.
    private static let families = [
        "gpt-5-chat": "gpt-5-chat-latest", "gpt-5.1-chat": "gpt-5.1-chat-latest", "gpt-5.2-chat": "gpt-5.2-chat-latest",
        "chatgpt-4o": "chatgpt-4o-latest", "codex-mini": "codex-mini-latest",
        "claude-opus-4": "claude-opus-4-0", "claude-sonnet-4": "claude-sonnet-4-0",
        "claude-3-7-sonnet": "claude-3-7-sonnet-latest", "claude-3-5-haiku": "claude-3-5-haiku-latest", "claude-3-5-sonnet": "",
        "claude-3-opus": "", "claude-3-sonnet": "", "claude-3-haiku": "claude-3-haiku-20240307", "gemini-2.5-flash-preview": "",
        "gemini-2.5-flash-lite-preview": "",
        "omni-moderation": "omni-moderation-latest", "text-moderation": "text-moderation-latest",
    ]

    /// Names of one model, and what is known of it.
    private typealias Row = (names: [String], entry: ModelEntry)

    /// Thousandths of a dollar per million tokens, hence nano-dollars per token: $1.25 per million is 1250.
    static func rates(
        _ input: Int, _ output: Int, cached: Int? = nil, audio: (Int, Int?)? = nil, cachedAudio: Int? = nil, images: Int? = nil
    ) -> TokenRates {
        TokenRates(
            input: input * 1000, output: output * 1000, cachedInput: cached.map { $0 * 1000 },
            audioInput: audio.map { $0.0 * 1000 }, cachedAudioInput: cachedAudio.map { $0 * 1000 },
            audioOutput: audio?.1.map { $0 * 1000 }, imageOutput: images.map { $0 * 1000 })
    }

    private static func since(_ day: String, _ rates: TokenRates, _ long: TokenPrice.LongContext? = nil) -> DatedPrice {
        guard let seconds = CalendarDay.seconds(day) else { preconditionFailure("bug: \(day) is no day") }
        return DatedPrice(TokenPrice(rates, longContext: long), effective: seconds)
    }

    private static func always(_ rates: TokenRates, _ long: TokenPrice.LongContext? = nil) -> [DatedPrice] {
        [DatedPrice(TokenPrice(rates, longContext: long))]
    }

    private static func above(_ tokens: Int, _ rates: TokenRates) -> TokenPrice.LongContext { .init(above: tokens, rates: rates) }
}

// MARK: OpenAI. Chat models are shown images at the price of text; none continues an answer that was begun for it.
extension ModelTable {
    private static func gpt(
        _ names: String..., context: Int, output: Int, tools: Bool? = true, images: Bool? = true, reasons: Bool = false,
        prices: [DatedPrice]
    ) -> Row {
        let facts = ModelFacts(
            contextWindow: context, maxOutput: output, takesTools: tools, takesImages: images, takesPrefill: false,
            reasons: reasons)
        return (names, ModelEntry(facts, prices: prices))
    }

    private static func gpt5(_ names: String..., prices: [DatedPrice]) -> Row {
        (names, gpt(context: 400_000, output: 128_000, reasons: true, prices: prices).entry)
    }

    /// As the models' pages say: "available in the Responses API only".
    private static func onResponsesOnly(_ row: Row) -> Row {
        var row = row
        row.entry.facts.isOnResponsesOnly = true
        return row
    }

    private static func embedding(_ name: String, _ input: Int) -> Row {
        ([name], ModelEntry(ModelFacts(contextWindow: 8192), prices: always(rates(input, 0))))
    }

    private static var openAI: [Row] { gpt5Family + gpt4Family + reasoningFamily + embeddings + moderations }

    private static var gpt5Family: [Row] {
        [
            gpt5("gpt-5.2", prices: always(rates(1750, 14_000, cached: 175))),
            onResponsesOnly(gpt5("gpt-5.2-pro", prices: always(rates(21_000, 168_000)))),
            gpt5("gpt-5.1", "gpt-5", prices: always(rates(1250, 10_000, cached: 125))),
            onResponsesOnly(
                gpt5("gpt-5.1-codex", "gpt-5.1-codex-max", "gpt-5-codex", prices: always(rates(1250, 10_000, cached: 125)))),
            onResponsesOnly(gpt5("gpt-5.1-codex-mini", prices: always(rates(250, 2000, cached: 25)))),
            gpt5("gpt-5-mini", prices: always(rates(250, 2000, cached: 25))),
            gpt5("gpt-5-nano", prices: always(rates(50, 400, cached: 5))),
            onResponsesOnly(
                gpt("gpt-5-pro", context: 400_000, output: 272_000, reasons: true, prices: always(rates(15_000, 120_000)))),
            gpt(
                "gpt-5-chat", "gpt-5.1-chat", context: 128_000, output: 16_384, tools: nil,
                prices: always(rates(1250, 10_000, cached: 125))),
            gpt("gpt-5.2-chat", context: 128_000, output: 16_384, prices: always(rates(1750, 14_000, cached: 175))),
        ]
    }

    private static var gpt4Family: [Row] {
        [
            gpt("gpt-4.1", context: 1_047_576, output: 32_768, prices: always(rates(2000, 8000, cached: 500))),
            gpt("gpt-4.1-mini", context: 1_047_576, output: 32_768, prices: always(rates(400, 1600, cached: 100))),
            gpt("gpt-4.1-nano", context: 1_047_576, output: 32_768, prices: always(rates(100, 400, cached: 25))),
            gpt("gpt-4o", context: 128_000, output: 16_384, prices: always(rates(2500, 10_000, cached: 1250))),
            gpt("gpt-4o-2024-05-13", context: 128_000, output: 4096, prices: always(rates(5000, 15_000))),
            gpt("gpt-4o-mini", context: 128_000, output: 16_384, prices: always(rates(150, 600, cached: 75))),
            gpt("chatgpt-4o", context: 128_000, output: 16_384, tools: false, prices: always(rates(5000, 15_000))),
            gpt(
                "gpt-4o-audio-preview", context: 128_000, output: 16_384, images: false,
                prices: always(rates(2500, 10_000, audio: (40_000, 80_000)))),
            gpt(
                "gpt-4o-mini-audio-preview", context: 128_000, output: 16_384, images: false,
                prices: always(rates(150, 600, audio: (10_000, 20_000)))),
            gpt("gpt-4-turbo", context: 128_000, output: 4096, prices: always(rates(10_000, 30_000))),
            gpt(
                "gpt-4-turbo-preview", "gpt-4-0125-preview", "gpt-4-1106-preview", context: 128_000, output: 4096, images: false,
                prices: always(rates(10_000, 30_000))),
            gpt("gpt-4", context: 8192, output: 8192, images: false, prices: always(rates(30_000, 60_000))),
            gpt("gpt-3.5-turbo", context: 16_385, output: 4096, images: false, prices: always(rates(500, 1500))),
            gpt("gpt-3.5-turbo-1106", context: 16_385, output: 4096, images: false, prices: always(rates(1000, 2000))),
        ]
    }

    private static var reasoningFamily: [Row] {
        func o(_ name: String, images: Bool? = true, _ prices: [DatedPrice]) -> Row {
            gpt(name, context: 200_000, output: 100_000, images: images, reasons: true, prices: prices)
        }
        return [
            o("o1", always(rates(15_000, 60_000, cached: 7500))),
            onResponsesOnly(o("o1-pro", always(rates(150_000, 600_000)))),
            gpt(
                "o1-mini", context: 128_000, output: 65_536, tools: false, images: false, reasons: true,
                prices: always(rates(1100, 4400, cached: 550))),
            gpt(
                "o1-preview", context: 128_000, output: 32_768, tools: false, images: false, reasons: true,
                prices: always(rates(15_000, 60_000, cached: 7500))),
            o(
                "o3",
                always(rates(10_000, 40_000, cached: 2500)) + [since("2025-06-10", rates(2000, 8000, cached: 500))]),
            o("o3-mini", images: false, always(rates(1100, 4400, cached: 550))),
            onResponsesOnly(o("o3-pro", always(rates(20_000, 80_000)))),
            onResponsesOnly(o("o3-deep-research", always(rates(10_000, 40_000, cached: 2500)))),
            o("o4-mini", always(rates(1100, 4400, cached: 275))),
            onResponsesOnly(o("o4-mini-deep-research", always(rates(2000, 8000, cached: 500)))),
            onResponsesOnly(o("codex-mini", always(rates(1500, 6000, cached: 375)))),
            onResponsesOnly(
                gpt("computer-use-preview", context: 8192, output: 1024, reasons: true, prices: always(rates(3000, 12_000)))),
        ]
    }

    /// "The moderations endpoint is free to use" (platform.openai.com/docs/guides/moderation).
    private static var moderations: [Row] {
        [
            (
                ["omni-moderation", "text-moderation", "text-moderation-stable", "text-moderation-007"],
                ModelEntry(ModelFacts(), prices: always(rates(0, 0)))
            )
        ]
    }

    private static var embeddings: [Row] {
        [
            embedding("text-embedding-3-small", 20), embedding("text-embedding-3-large", 130),
            embedding("text-embedding-ada-002", 100),
        ]
    }
}

// MARK: Anthropic. Reading the cache costs a tenth of the input, writing it 1.25 times, for an hour twice as much as the input.
extension ModelTable {
    private static func claudeRates(_ input: Int, _ output: Int) -> TokenRates {
        TokenRates(
            input: input * 1000, output: output * 1000, cachedInput: input * 100, cacheWrite: input * 1250,
            cacheWrite1h: input * 2000)
    }

    private static func claude(
        _ names: String..., output: Int, images: Bool? = true, reasons: Bool = true, premium: Bool = false, prices: [DatedPrice]
    ) -> Row {
        let facts = ModelFacts(
            contextWindow: 200_000, maxOutput: output, takesTools: true, takesImages: images, takesPrefill: true,
            reasons: reasons)
        return (names, ModelEntry(facts, prices: prices, hasRegionalPremium: premium))
    }

    private static var anthropic: [Row] {
        let sonnet = claudeRates(3000, 15_000)
        // With the beta of a million tokens of context.
        let longSonnet = above(200_000, claudeRates(6000, 22_500))
        return [
            claude("claude-opus-4-5", output: 64_000, premium: true, prices: always(claudeRates(5000, 25_000))),
            claude("claude-sonnet-4-5", output: 64_000, premium: true, prices: always(sonnet, longSonnet)),
            claude("claude-haiku-4-5", output: 64_000, premium: true, prices: always(claudeRates(1000, 5000))),
            claude("claude-opus-4-1", output: 32_000, prices: always(claudeRates(15_000, 75_000))),
            claude("claude-opus-4", "claude-opus-4-0", output: 32_000, prices: always(claudeRates(15_000, 75_000))),
            claude("claude-sonnet-4", "claude-sonnet-4-0", output: 64_000, prices: always(sonnet, longSonnet)),
            claude("claude-3-7-sonnet", output: 64_000, prices: always(sonnet)),
            claude("claude-3-5-sonnet", output: 8192, reasons: false, prices: always(sonnet)),
            claude("claude-3-5-haiku", output: 8192, images: nil, reasons: false, prices: always(claudeRates(800, 4000))),
            claude("claude-3-opus", output: 4096, reasons: false, prices: always(claudeRates(15_000, 75_000))),
            claude("claude-3-sonnet", output: 4096, reasons: false, prices: always(sonnet)),
            claude("claude-3-haiku", output: 4096, reasons: false, prices: always(haiku3)),
        ]
    }

    /// Its cache has prices of its own: $0.03 to read, $0.30 to write, $0.50 for an hour.
    private static var haiku3: TokenRates {
        TokenRates(
            input: 250_000, output: 1_250_000, cachedInput: 30_000, cacheWrite: 300_000, cacheWrite1h: 500_000)
    }
}

// MARK: Google. The paid tier of the Gemini API; images, video and text cost the same, sound may not.
extension ModelTable {
    private static func gemini(_ names: String..., output: Int = 65_536, reasons: Bool = true, prices: [DatedPrice]) -> Row {
        let facts = ModelFacts(
            contextWindow: 1_048_576, maxOutput: output, takesTools: true, takesImages: true, reasons: reasons)
        return (names, ModelEntry(facts, prices: prices))
    }

    private static var google: [Row] {
        [
            gemini(
                "gemini-3-pro-preview",
                prices: always(
                    rates(2000, 12_000, cached: 200, audio: (2000, nil)),
                    above(200_000, rates(4000, 18_000, cached: 400, audio: (4000, nil))))),
            gemini("gemini-3-flash-preview", prices: always(rates(500, 3000, cached: 50, audio: (1000, nil), cachedAudio: 100))),
            gemini(
                "gemini-2.5-pro",
                prices: always(
                    rates(1250, 10_000, cached: 125, audio: (1250, nil)),
                    above(200_000, rates(2500, 15_000, cached: 250, audio: (2500, nil))))),
            gemini(
                "gemini-2.5-flash", "gemini-2.5-flash-preview",
                prices: [since("2025-06-17", rates(300, 2500, cached: 30, audio: (1000, nil), cachedAudio: 100))]),
            gemini(
                "gemini-2.5-flash-lite", "gemini-2.5-flash-lite-preview",
                prices: always(rates(100, 400, cached: 10, audio: (300, nil), cachedAudio: 30))),
            gemini(
                "gemini-2.0-flash", output: 8192, reasons: false,
                prices: always(rates(100, 400, cached: 25, audio: (700, nil), cachedAudio: 175))),
            gemini("gemini-2.0-flash-lite", output: 8192, reasons: false, prices: always(rates(75, 300, audio: (75, nil)))),
            (["gemini-embedding-001"], ModelEntry(ModelFacts(contextWindow: 2048), prices: always(rates(150, 0)))),
        ]
    }
}

// MARK: Amazon. Limits only: prices differ by region.
extension ModelTable {
    private static var amazon: [Row] {
        func nova(_ name: String, _ context: Int, images: Bool) -> Row {
            ([name], ModelEntry(ModelFacts(contextWindow: context, takesTools: true, takesImages: images, reasons: false)))
        }
        return [
            nova("nova-micro", 128_000, images: false), nova("nova-lite", 300_000, images: true),
            nova("nova-pro", 300_000, images: true), nova("nova-premier", 1_000_000, images: true),
        ]
    }
}

// MARK: Bulkhead's own embedder, which nobody charges for.
extension ModelTable {
    private static var own: [Row] {
        [([RoutingTable.builtinModel], ModelEntry(ModelFacts(contextWindow: 256), prices: always(rates(0, 0))))]
    }
}
