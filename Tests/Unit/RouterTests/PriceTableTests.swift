import BulkheadAPI
import RouterService
import Testing

struct PriceTableTests {
    @Test(
        "the longest name counts, and only a date or latest may follow it",
        arguments: [
            ("gpt-5-mini", 250), ("gpt-5-mini-2025-08-07", 250), ("gpt-5", 1250), ("gpt-4-0613", 30_000),
            ("claude-3-5-haiku-latest", 800), ("claude-opus-4-5-20251101", 5000), ("claude-sonnet-4-20250514", 3000),
            ("claude-sonnet-4-99", nil), ("gpt-5.7", nil), ("gpt-5-unheard-of", nil), ("", nil),
        ] as [(String, Int?)])
    func lookup(model: String, input: Int?) {
        #expect(PriceTable.price(model)?.input == input)
    }

    @Test("cached and cache-writing tokens have prices of their own")
    func cost() {
        let openAI = ChatAPI.Usage(inputTokens: 1000, outputTokens: 100, cachedInputTokens: 400)
        #expect(PriceTable.cost("gpt-5-mini", openAI) == 600 * 250 + 400 * 25 + 100 * 2000)
        let anthropic = ChatAPI.Usage(inputTokens: 1000, outputTokens: 10, cachedInputTokens: 100, cacheCreationInputTokens: 200)
        #expect(PriceTable.cost("claude-haiku-4-5", anthropic) == 700 * 1000 + 100 * 100 + 200 * 1250 + 10 * 5000)
        #expect(PriceTable.cost("nobody-knows", openAI) == nil)
    }
}
