import BulkheadConfig
import RouterService
import Testing

struct ModelCatalogTests {
    private let today = CalendarDay.seconds("2026-01-31") ?? 0

    @Test(
        "the longest name counts, and only a date, a revision or latest may follow it",
        arguments: [
            ("gpt-5-mini", 250), ("gpt-5-mini-2025-08-07", 250), ("gpt-5", 1250), ("gpt-4-0613", 30_000),
            ("claude-3-5-haiku-latest", 800), ("claude-opus-4-5-20251101", 5000), ("claude-sonnet-4-20250514", 3000),
            ("gemini-2.0-flash-001", 100), ("gemini-2.5-flash-preview-09-2025", 300), ("gpt-5-chat-latest", 1250),
            ("claude-sonnet-4-99", nil), ("gpt-5.7", nil), ("gpt-5-unheard-of", nil), ("gpt-4o-realtime-preview", nil), ("", nil),
            ("-2025-08-07", nil), ("gpt-5-2025-08-0x", nil), ("ft:gpt-4o-mini-2024-07-18:acme::x", nil),
        ] as [(String, Int?)])
    func lookup(model: String, input: Int?) {
        #expect(ModelCatalog.builtin.price(model, at: today)?.input == input.map { $0 * 1000 })
    }

    @Test(
        "names of clouds lead to the publisher's model",
        arguments: [
            ("anthropic.claude-3-7-sonnet-20250219-v1:0", 3_000_000), ("eu.anthropic.claude-sonnet-4-20250514-v1:0", 3_000_000),
            ("anthropic.claude-3-sonnet-20240229-v1:0:200k", 3_000_000), ("claude-sonnet-4-5@20250929", 3_000_000),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_000_000),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_300_000),
            ("anthropic.claude-haiku-4-5-20251001-v1:0", 1_100_000),
            ("arn:aws:bedrock:eu-west-1:1234:inference-profile/eu.anthropic.claude-3-haiku-20240307-v1:0", 250_000),
            ("models/gemini-2.5-pro", 1_250_000), ("publishers/google/models/gemini-2.5-pro", 1_250_000),
            ("eu.gpt-5", nil), ("openai/gpt-5", nil),
        ] as [(String, Int?)])
    func clouds(model: String, input: Int?) {
        #expect(ModelCatalog.builtin.price(model, at: today)?.input == input)
    }

    @Test("a price holds from its date on")
    func dates() throws {
        let cut = try #require(CalendarDay.seconds("2025-06-10"))
        #expect(ModelCatalog.builtin.price("o3", at: cut - 1)?.output == 40_000_000)
        #expect(ModelCatalog.builtin.price("o3-2025-04-16", at: cut)?.output == 8_000_000)
        #expect(ModelCatalog.builtin.price("gemini-2.5-flash", at: cut) == nil)
    }

    @Test("what is not known of a model is nil, not no")
    func facts() {
        let claude = ModelCatalog.builtin.facts("claude-sonnet-4-5-20250929")
        #expect(claude.contextWindow == 200_000 && claude.maxOutput == 64_000 && claude.takesPrefill == true)
        #expect(ModelCatalog.builtin.facts("gpt-5-mini").takesPrefill == false)
        #expect(ModelCatalog.builtin.facts("gpt-4").takesImages == false)
        #expect(ModelCatalog.builtin.facts("eu.amazon.nova-lite-v1:0").contextWindow == 300_000)
        #expect(ModelCatalog.builtin.facts("llama3.3:70b") == ModelFacts())
    }

    @Test("days are told from what is no day")
    func days() {
        #expect(CalendarDay.seconds("1970-01-01") == 0)
        #expect(CalendarDay.seconds("2024-02-29") == 1_709_164_800)
        #expect(CalendarDay.seconds("2026-11-21") == 1_795_219_200)
        for text in ["2025-02-29", "2025-13-01", "2025-1-1", "1969-12-31", "", "2025-00-10", "2025-04-31", "20250401"] {
            #expect(CalendarDay.seconds(text) == nil, "\(text)")
        }
    }
}

struct ModelOverrideTests {
    private func configuration(_ entries: String) throws -> RouterConfiguration {
        try loadConfiguration(RouterConfiguration.self, text: "router:\n  model_info:\n\(entries)", file: "t.yaml").service
    }

    private func problems(_ entries: String) -> [String] {
        do {
            _ = try configuration(entries)
            return []
        } catch let error as ConfigProblems {
            return error.problems.map(\.key)
        } catch {
            return ["\(error)"]
        }
    }

    @Test("an override adds a model, and is what is said of its versions too")
    func adds() throws {
        let router = try configuration(
            "    - { model: llama3.3, context: 131072, max_output: 8192, tools: true, images: false, prefill: true, "
                + "price: { input: 0.0375, output: 0.15, cached_input: 0.01, cache_write: 0.05 } }")
        let catalog = ModelCatalog(overrides: router.modelInfo)
        #expect(
            catalog.facts("llama3.3-latest")
                == ModelFacts(
                    contextWindow: 131_072, maxOutput: 8192, takesTools: true, takesImages: false, takesPrefill: true))
        let rates = try #require(catalog.price("llama3.3", at: 1)?.rates)
        #expect(rates.input == 37_500 && rates.output == 150_000 && rates.cachedInput == 10_000)
        #expect(rates.cacheWrite == 50_000 && rates.cacheWrite1h == 80_000)
    }

    @Test("what an override does not say stays as published")
    func corrects() throws {
        let router = try configuration(
            "    - { model: claude-sonnet-4-5, context: 1000000 }\n    - { model: gpt-4o-2024-05-13, images: false }")
        let catalog = ModelCatalog(overrides: router.modelInfo)
        #expect(catalog.facts("claude-sonnet-4-5").contextWindow == 1_000_000)
        #expect(catalog.facts("claude-sonnet-4-5").maxOutput == 64_000)
        #expect(catalog.price("claude-sonnet-4-5", at: 0)?.input == 3_000_000)
        #expect(catalog.facts("gpt-4o-2024-05-13").takesImages == false && catalog.facts("gpt-4o").takesImages == true)
    }

    @Test("a price of the operator's holds from its date on, list prices before it")
    func history() throws {
        let router = try configuration(
            "    - { model: gpt-5, price: { input: 1, output: 5, effective: 2026-03-01 } }\n"
                + "    - { model: gpt-5, price: { input: 2, output: 6, effective: 2026-06-01 } }")
        let catalog = ModelCatalog(overrides: router.modelInfo)
        let inputs = ["2026-02-28", "2026-03-01", "2026-05-31", "2026-06-01"].compactMap {
            catalog.price("gpt-5-2025-08-07", at: CalendarDay.seconds($0) ?? 0)?.input
        }
        #expect(inputs == [1_250_000, 1_000_000, 1_000_000, 2_000_000])
    }

    @Test("an override in the name of a cloud is about the model itself, without a premium on the operator's price")
    func clouds() throws {
        let router = try configuration(
            "    - { model: eu.anthropic.claude-sonnet-4-5-20250929-v1:0, price: { input: 3.1, output: 16 } }")
        let catalog = ModelCatalog(overrides: router.modelInfo)
        #expect(catalog.price("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", at: 0)?.input == 3_100_000)
        #expect(catalog.facts("eu.anthropic.claude-sonnet-4-5-20250929-v1:0").maxOutput == 64_000)
    }

    @Test(
        "mistakes are refused at their place",
        arguments: [
            ("    - { context: 5 }", ["router.model_info[0].model"]),
            ("    - { model: m, contxt: 5 }", ["router.model_info[0].contxt"]),
            ("    - { model: m, context: 0 }", ["router.model_info[0].context"]),
            ("    - { model: m, tools: maybe }", ["router.model_info[0].tools"]),
            ("    - { model: m, context: 10, max_output: 11 }", ["router.model_info[0].max_output"]),
            ("    - { model: m, price: { output: 1 } }", ["router.model_info[0].price.input"]),
            ("    - { model: m, price: { input: -1, output: 1 } }", ["router.model_info[0].price.input"]),
            (
                "    - { model: m, price: { input: 1, output: 1, effective: 31.1.2026 } }",
                ["router.model_info[0].price.effective"]
            ),
            ("    - { model: m }\n    - { model: m }", ["router.model_info[1].model"]),
        ])
    func mistakes(entries: String, keys: [String]) {
        #expect(problems(entries) == keys)
    }
}
