import BulkheadAPI
import BulkheadJSON
import BulkheadObservability
import BulkheadTokens
import Logging
import RouterService
import Synchronization
import Testing

/// A clock that only the test moves.
private final class Clock: Sendable {
    private let seconds = Mutex(1_780_000_000)
    var now: Int { seconds.withLock { $0 } }
    func move(_ by: Int) { seconds.withLock { $0 += by } }
}

private let target = Target(provider: "openai", destination: "openai", dialect: .openai, model: "gpt-5-mini")

private func say(_ text: String) -> ChatAPI.ChatRequest {
    ChatAPI.ChatRequest(messages: [.init(role: .user, parts: [.init(kind: .text, text: text)])])
}

/// Without vocabularies: four bytes are a token, wherever the tests run.
private func accounting(_ registry: MetricsRegistry = MetricsRegistry(service: "router"), clock: Clock = Clock()) -> Accounting {
    let shelf = VocabularyShelf(find: { _ in nil }, now: { clock.now }, changed: { _, _ in })
    return Accounting(
        catalog: ModelCatalog.builtin, counter: TokenCounter(shelf),
        unpriced: UnknownPrices(registry: registry, logger: Logger(label: "test")), now: { clock.now })
}

struct AccountingTests {
    private let cut = AnswerText([.init(kind: .text, text: String(repeating: "word ", count: 80))])
    private let whole = AnswerText([
        .init(kind: .text, text: String(repeating: "word ", count: 80)), .init(kind: .finish, finish: .stop),
    ])

    @Test("what a provider reports is what is charged")
    func reported() {
        let reported = ChatAPI.Usage(inputTokens: 1000, outputTokens: 7, cachedInputTokens: 400)
        let usage = accounting().usage(reported: reported, for: say("hello"), answer: whole, target: target)
        #expect(usage.outputTokens == 7 && !usage.estimated)
        #expect(usage.costNanousd == 150_000 + 10_000 + 14_000)
    }

    @Test("the dearest of several targets sets the price a request may have, for input and output each; none known is 0")
    func dearest() {
        func price(_ models: String...) -> [Int] {
            let targets = models.map { Target(provider: "p", destination: "p", dialect: .openai, model: $0) }
            let found = accounting().dearest(targets)
            return [found.input, found.output]
        }
        #expect(price("gpt-5-mini") == [250, 2000] && price("nobody-knows") == [0, 0] && price() == [0, 0])
        #expect(price("gpt-5-mini", "nobody-knows", "gpt-5") == [1250, 10_000])
    }

    @Test("an answer without usage is counted here and has its price")
    func unreported() {
        let usage = accounting().usage(reported: nil, for: say("12345678"), answer: whole, target: target)
        #expect(usage.estimated && usage.outputTokens == 100 && usage.inputTokens == 9)
        #expect(usage.costNanousd == 9 * 250 + 100 * 2000)
    }

    @Test("a stream that was cut is charged for its reported input and the output that was seen")
    func partial() {
        let begun = ChatAPI.Usage(inputTokens: 500, outputTokens: 1, cachedInputTokens: 100)
        let usage = accounting().usage(reported: begun, for: say("hello"), answer: cut, target: target)
        #expect(usage.inputTokens == 500 && usage.cachedInputTokens == 100 && usage.outputTokens == 100 && usage.estimated)
    }

    @Test("a cut stream that had counted further than was seen is charged for what it counted")
    func cumulative() {
        let counted = ChatAPI.Usage(inputTokens: 500, outputTokens: 900, reasoningTokens: 850)
        let usage = accounting().usage(reported: counted, for: say("hello"), answer: cut, target: target)
        #expect(usage == with(counted) { $0.costNanousd = 500 * 250 + 900 * 2000 })
    }

    @Test("one of two choices is not the whole answer")
    func choices() {
        var chat = say("hello")
        chat.choices = 2
        let usage = accounting().usage(reported: .init(inputTokens: 5, outputTokens: 1), for: chat, answer: whole, target: target)
        #expect(usage.outputTokens == 100)
    }

    @Test("a provider that reports no input or no output is filled in")
    func halves() {
        let input = accounting().usage(reported: .init(outputTokens: 3), for: say("12345678"), answer: whole, target: target)
        #expect(input.inputTokens == 9 && input.outputTokens == 3 && input.estimated)
        let output = accounting().usage(reported: .init(inputTokens: 3), for: say("x"), answer: whole, target: target)
        #expect(output.inputTokens == 3 && output.outputTokens == 100 && output.estimated)
    }

    @Test("an answer without text has no output, and that is not an estimate")
    func empty() {
        let finish = AnswerText([.init(kind: .finish, finish: .stop)])
        let usage = accounting().usage(reported: .init(inputTokens: 3), for: say("x"), answer: finish, target: target)
        #expect(usage.outputTokens == 0 && !usage.estimated)
    }

    @Test("reasoning, refusals, names and arguments of calls are output; only the beginning is kept")
    func answerText() {
        let text = AnswerText([
            .init(kind: .thinking, text: "ab"), .init(kind: .toolCall, id: "1", name: "cd"),
            .init(kind: .toolArguments, text: "{}"), .init(kind: .refusal, text: "no"),
            .init(kind: .text, text: String(repeating: "é", count: AnswerText.limit)),
        ])
        #expect(text.bytes == 8 + 2 * AnswerText.limit && text.sample.hasPrefix("abcd{}noé"))
        #expect(text.sample.utf8.count <= AnswerText.limit + 3)
    }

    @Test("an embedding is charged as what was counted")
    func embeddings() {
        let small = Target(provider: "p", destination: "d", dialect: .openai, model: "text-embedding-3-small")
        let request = RouterAPI.EmbedRequest(inputs: ["12345678", "1234"])
        #expect(accounting().charged(.init(inputTokens: 7), for: request, target: small).costNanousd == 140)
        let counted = accounting().charged(.init(), for: request, target: small)
        #expect(counted.inputTokens == 3 && counted.costNanousd == 60)
    }

    private func with(_ usage: ChatAPI.Usage, _ change: (inout ChatAPI.Usage) -> Void) -> ChatAPI.Usage {
        var changed = usage
        change(&changed)
        return changed
    }
}

struct UnknownPriceTests {
    private func series(_ registry: MetricsRegistry) -> [String] {
        registry.render().split(separator: "\n").filter { $0.hasPrefix("bulkhead_router_unknown_price_total{") }.map(String.init)
    }

    @Test("an answer of an unpriced model has no cost, and is counted by model")
    func counted() {
        let registry = MetricsRegistry(service: "router")
        let books = accounting(registry)
        for _ in 0 ..< 3 { #expect(books.cost(.init(inputTokens: 1), model: "nobody-knows") == nil) }
        #expect(books.cost(.init(inputTokens: 1), model: "gpt-5-mini") == 250)
        #expect(series(registry) == [#"bulkhead_router_unknown_price_total{service="router",model="nobody-knows"} 3"#])
    }

    @Test("an answer of a tariff without a known price is told with the tariff")
    func tier() {
        let registry = MetricsRegistry(service: "router")
        #expect(accounting(registry).cost(.init(inputTokens: 1), model: "gpt-5-pro", tier: "flex") == nil)
        #expect(series(registry) == [#"bulkhead_router_unknown_price_total{service="router",model="gpt-5-pro (flex)"} 1"#])
    }

    @Test("a moderation is counted here, costs nothing at OpenAI, and has no cost where no price is known")
    func moderation() {
        func usage(_ model: String, _ input: JSON) -> ChatAPI.Usage {
            accounting(MetricsRegistry(service: "router")).usage(
                moderating: input, target: Target(provider: "p", destination: "d", dialect: .openai, model: model))
        }
        for model in ["omni-moderation-latest", "omni-moderation-2024-09-26", "text-moderation-007", "text-moderation-stable"] {
            #expect(usage(model, "12345678").costNanousd == 0)
        }
        let told = usage("our-own", ["1234", "12345678"])
        #expect(told.costNanousd == nil && told.inputTokens == 3 && told.estimated)
        #expect(usage("x", [["type": "text", "text": "1234"], ["type": "image_url", "image_url": [:]]]).inputTokens == 766)
    }

    @Test("names of the clients' choice cannot make series without end")
    func cardinality() {
        let registry = MetricsRegistry(service: "router")
        let books = accounting(registry)
        for number in 0 ..< 1000 { _ = books.cost(.init(inputTokens: 1), model: "made-up-\(number)") }
        _ = books.cost(.init(inputTokens: 1), model: String(repeating: "x", count: 10_000))
        #expect(series(registry).count == UnknownPrices.maximumModels + 1)
        let others = 1001 - UnknownPrices.maximumModels
        #expect(series(registry).contains(#"bulkhead_router_unknown_price_total{service="router",model="other"} \#(others)"#))
    }

    @Test("a model without a price is logged once an hour")
    func logged() {
        let lines = Mutex<[String]>([])
        let logger = Logger(label: "test") { _ in Recorder { line in lines.withLock { $0.append(line) } } }
        let prices = UnknownPrices(registry: MetricsRegistry(service: "router"), logger: logger)
        for now in [0, 1, 3599, 3600, 3601] { prices.note("m", now: now) }
        prices.note("n", now: 3601)
        #expect(lines.withLock { $0 } == ["m", "m", "n"])
    }
}

/// Notes which model a line is about.
private struct Recorder: LogHandler {
    let record: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(_ record: @escaping @Sendable (String) -> Void) { self.record = record }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { record("\(event.metadata?["model"] ?? "")") }
}
