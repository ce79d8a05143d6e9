import BulkheadAPI
import RouterService
import Testing

/// Usage of a shape that occurs, the model that served, and what it costs in nano-dollars.
private struct Bill: Sendable, CustomTestStringConvertible {
    let what: String
    let model: String
    let usage: ChatAPI.Usage
    let nano: Int?
    var testDescription: String { what }

    init(_ what: String, _ model: String, _ usage: ChatAPI.Usage, _ nano: Int?) {
        self.what = what
        self.model = model
        self.usage = usage
        self.nano = nano
    }
}

struct CostTests {
    private static let huge = Int.max

    /// Worked out by hand from the published prices per million tokens: a price of $1 is 1000 nano-dollars a token.
    private static let openAI: [Bill] = [
        Bill("plain input and output", "gpt-4o", .init(inputTokens: 1000, outputTokens: 200), 2_500_000 + 2_000_000),
        Bill("one token", "gpt-5-nano", .init(inputTokens: 1), 50),
        Bill("nothing at all", "gpt-4o", .init(), 0),
        Bill("output only", "gpt-4o-mini", .init(outputTokens: 3), 1800),
        Bill(
            "cached input is a share of the input", "gpt-5-mini",
            .init(inputTokens: 1000, outputTokens: 100, cachedInputTokens: 400), 150_000 + 10_000 + 200_000),
        Bill("all input cached", "gpt-4.1", .init(inputTokens: 800, outputTokens: 0, cachedInputTokens: 800), 400_000),
        Bill(
            "no price for cached input: it costs as much as any", "gpt-4-turbo",
            .init(inputTokens: 100, outputTokens: 1, cachedInputTokens: 50), 1_000_000 + 30_000),
        Bill(
            "reasoning is a share of the output", "o3", .init(inputTokens: 100, outputTokens: 900, reasoningTokens: 850),
            200_000 + 7_200_000),
        Bill(
            "reasoning beyond the total is not charged twice", "o4-mini", .init(outputTokens: 10, reasoningTokens: 1000), 44_000),
        Bill("rejected predictions are output", "gpt-4o", .init(outputTokens: 50, rejectedPredictionTokens: 20), 500_000),
        Bill(
            "sound in and out", "gpt-4o-audio-preview",
            .init(inputTokens: 150, outputTokens: 60, audioInputTokens: 100, audioOutputTokens: 40),
            125_000 + 4_000_000 + 200_000 + 3_200_000),
        Bill("sound on a model whose price for it is not known", "gpt-4o", .init(inputTokens: 5, audioInputTokens: 5), nil),
        Bill("an image shown counts as text", "gpt-4o", .init(inputTokens: 1000, imageInputTokens: 765), 2_500_000),
        Bill("an image made, whose price is not known", "gpt-5", .init(outputTokens: 5, imageOutputTokens: 5), nil),
        Bill("an embedding", "text-embedding-3-small", .init(inputTokens: 7), 140),
        Bill("a dated name", "gpt-4o-mini-2024-07-18", .init(inputTokens: 10), 1500),
        Bill("a dated name with a price of its own", "gpt-4o-2024-05-13", .init(inputTokens: 10), 50_000),
    ]

    private static let anthropic: [Bill] = [
        Bill("plain", "claude-sonnet-4-5", .init(inputTokens: 10, outputTokens: 10), 30_000 + 150_000),
        Bill(
            "cache read", "claude-haiku-4-5", .init(inputTokens: 1000, outputTokens: 10, cachedInputTokens: 900),
            100_000 + 90_000 + 50_000),
        Bill(
            "cache write for five minutes", "claude-haiku-4-5", .init(inputTokens: 1000, cacheCreationInputTokens: 800),
            200_000 + 1_000_000),
        Bill(
            "cache write for an hour", "claude-haiku-4-5",
            .init(inputTokens: 1000, cacheCreationInputTokens: 800, cacheCreation1hInputTokens: 800), 200_000 + 1_600_000),
        Bill(
            "all kinds of input", "claude-opus-4-5",
            .init(
                inputTokens: 1000, outputTokens: 20, cachedInputTokens: 300, cacheCreationInputTokens: 400,
                cacheCreation1hInputTokens: 100),
            300 * 5000 + 300 * 500 + 300 * 6250 + 100 * 10_000 + 20 * 25_000),
        Bill(
            "prices of the cache that follow no rule", "claude-3-haiku-20240307",
            .init(
                inputTokens: 30, cachedInputTokens: 10, cacheCreationInputTokens: 20, cacheCreation1hInputTokens: 10),
            300 + 3000 + 5000),
        Bill("at the border of long context", "claude-sonnet-4", .init(inputTokens: 200_000, outputTokens: 1), 600_015_000),
        Bill(
            "beyond it everything costs more", "claude-sonnet-4",
            .init(inputTokens: 200_001, outputTokens: 1, cachedInputTokens: 200_000), 6000 + 120_000_000 + 22_500),
        Bill(
            "a cut stream: input as told, output as counted", "claude-sonnet-4-5",
            .init(inputTokens: 25, outputTokens: 7, estimated: true), 75_000 + 105_000),
        Bill(
            "Bedrock in a region", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", .init(inputTokens: 10, outputTokens: 1),
            11_000 + 5500),
    ]

    private static let others: [Bill] = [
        Bill(
            "Gemini with thoughts and a cached prefix", "gemini-2.5-flash",
            .init(inputTokens: 500, outputTokens: 300, cachedInputTokens: 200, reasoningTokens: 250), 90_000 + 6000 + 750_000),
        Bill(
            "Gemini hears and sees", "models/gemini-2.5-flash",
            .init(inputTokens: 500, audioInputTokens: 100, imageInputTokens: 258), 142 * 300 + 100_000 + 258 * 300),
        Bill(
            "Gemini with cached sound", "gemini-2.5-flash",
            .init(inputTokens: 500, cachedInputTokens: 300, audioInputTokens: 250, cachedAudioInputTokens: 200),
            150 * 300 + 100 * 30 + 200 * 100 + 50 * 1000),
        Bill(
            "Gemini with cached sound that costs as much as text", "gemini-2.5-pro",
            .init(inputTokens: 100, cachedInputTokens: 100, audioInputTokens: 100, cachedAudioInputTokens: 100), 12_500),
        Bill(
            "Gemini above its border", "gemini-2.5-pro",
            .init(inputTokens: 250_000, outputTokens: 1000, cachedInputTokens: 100_000),
            150_000 * 2500 + 100_000 * 250 + 15_000_000),
        Bill("fallback: the price of who served", "gemini-2.0-flash", .init(inputTokens: 1000, outputTokens: 100), 140_000),
        Bill("the builtin embedder is free", "all-MiniLM-L6-v2", .init(inputTokens: 1_000_000), 0),
        Bill("a model nobody knows is not free", "nobody-knows", .init(inputTokens: 1), nil),
    ]

    private static let broken: [Bill] = [
        Bill("more cached than input", "gpt-5-mini", .init(inputTokens: 100, cachedInputTokens: 5000), 2500),
        Bill(
            "cached and written exceed the input", "claude-haiku-4-5",
            .init(inputTokens: 100, cachedInputTokens: 60, cacheCreationInputTokens: 60), 6000 + 50_000),
        Bill("more of an hour than written", "claude-haiku-4-5", .init(inputTokens: 10, cacheCreation1hInputTokens: 10), 10_000),
        Bill(
            "negative numbers are none", "gpt-4o",
            .init(inputTokens: -5, outputTokens: 10, cachedInputTokens: -7, reasoningTokens: -1), 100_000),
        Bill(
            "absurd numbers do not overflow", "claude-opus-4-1",
            .init(inputTokens: huge, outputTokens: huge, cachedInputTokens: huge, reasoningTokens: huge), huge),
    ]

    @Test("usage costs what the publisher's prices make of it", arguments: openAI + anthropic + others + broken)
    private func bills(_ bill: Bill) throws {
        let day = try #require(CalendarDay.seconds("2026-01-31"))
        #expect(ModelCatalog.builtin.price(bill.model, at: day)?.cost(bill.usage) == bill.nano)
    }

    /// 10 tokens in, 4 of them cached, and 10 out.
    private static let tariffs: [(model: String, tier: String?, nano: Int?)] = [
        ("gpt-5-mini", nil, 21_600), ("gpt-5-mini", "default", 21_600), ("gpt-5-mini", "auto", 21_600),
        ("gpt-5-mini", "scale", 21_600), ("gpt-5-mini-2025-08-07", "standard", 21_600), ("gpt-5-mini", "flex", 10_800),
        ("gpt-5-mini", "priority", 6 * 450 + 4 * 45 + 36_000), ("gpt-5-mini", "Priority", 6 * 450 + 4 * 45 + 36_000),
        ("gpt-5-pro", "flex", nil), ("gpt-5-mini", "unheard-of", nil), ("claude-haiku-4-5", "standard", 56_400),
        ("claude-haiku-4-5", "batch", 28_200), ("claude-haiku-4-5", "priority", nil), ("nobody-knows", "flex", nil),
        ("o3-2025-04-16", "flex", 6 * 1000 + 4 * 250 + 40_000),
    ]

    @Test("an answer of another tariff costs that tariff's price, and has none when it is not known", arguments: tariffs)
    func tiers(model: String, tier: String?, nano: Int?) throws {
        let day = try #require(CalendarDay.seconds("2026-01-31"))
        let usage = ChatAPI.Usage(inputTokens: 10, outputTokens: 10, cachedInputTokens: 4)
        #expect(ModelCatalog.builtin.price(model, at: day, tier: tier)?.cost(usage) == nano)
    }

    @Test("what an operator pays holds for every tariff")
    func ownPrice() {
        let own = DatedPrice(TokenPrice(TokenRates(input: 1000, output: 2000)), isForEveryTier: true)
        let catalog = ModelCatalog(overrides: [ModelOverride(model: "gpt-5-mini", price: own)])
        #expect(catalog.price("gpt-5-mini", at: 0, tier: "priority")?.input == 1000)
    }

    @Test("fractions of a nano-dollar are rounded once, at the end")
    func rounding() {
        let price = TokenPrice(TokenRates(input: 37_500, output: 150))
        #expect(price.cost(.init(inputTokens: 1)) == 38)
        #expect(price.cost(.init(inputTokens: 2)) == 75)
        #expect(price.cost(.init(inputTokens: 1, outputTokens: 3)) == 38)
        #expect(price.cost(.init(outputTokens: 3)) == 0)
    }

    @Test("every token is in one bucket", arguments: 0 ..< 500)
    func buckets(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        func number() -> Int { Int(random.next() % 2000) - 500 }
        let usage = ChatAPI.Usage(
            inputTokens: number(), outputTokens: number(), cachedInputTokens: number(), cacheCreationInputTokens: number(),
            reasoningTokens: number(), cacheCreation1hInputTokens: number(), audioInputTokens: number(),
            audioOutputTokens: number(), imageInputTokens: number(), imageOutputTokens: number(),
            cachedAudioInputTokens: number())
        let buckets = TokenBuckets(usage)
        #expect(buckets.inputTotal == max(0, usage.inputTokens) && buckets.outputTotal == max(0, usage.outputTokens))
        let all = [
            buckets.input, buckets.cachedInput, buckets.cachedAudioInput, buckets.cacheWrite, buckets.cacheWrite1h,
            buckets.audioInput, buckets.imageInput,
            buckets.output, buckets.reasoning, buckets.audioOutput, buckets.imageOutput,
        ]
        #expect(all.allSatisfy { $0 >= 0 })
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
