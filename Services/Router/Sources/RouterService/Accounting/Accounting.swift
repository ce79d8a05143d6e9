import BulkheadAPI
import BulkheadJSON
import BulkheadTokens
import Glibc

/// What answers took and what they cost.
package struct Accounting: Sendable {
    package let catalog: ModelCatalog
    package let counter: TokenCounter
    package let unpriced: UnknownPrices
    /// Seconds since 1970.
    private let now: @Sendable () -> Int

    package init(
        catalog: ModelCatalog, counter: TokenCounter, unpriced: UnknownPrices, now: @escaping @Sendable () -> Int = { time(nil) }
    ) {
        self.catalog = catalog
        self.counter = counter
        self.unpriced = unpriced
        self.now = now
    }

    /// What is charged for an answer, its cost included: what the provider reported, and where it reported nothing, or the
    /// answer ended before its report, what is counted here (`estimated`).
    /// - Parameters:
    ///   - reported: what the provider said so far.
    ///   - answer: what was seen of the answer.
    ///   - tier: the tariff it was served with, as the provider told it.
    package func usage(
        reported: ChatAPI.Usage?, for chat: ChatAPI.ChatRequest, answer: AnswerText, target: Target, tier: String? = nil
    ) -> ChatAPI.Usage {
        var usage = reported.flatMap(Self.believed) ?? ChatAPI.Usage()
        // Found out where it is needed only: most providers report everything.
        func vocabulary() -> TokenVocabulary { TokenVocabulary.of(target.model) }
        if usage.inputTokens <= 0 {
            usage.inputTokens = counter.estimate(chat, vocabulary())
            usage.estimated = true
        }
        // What a stream told of its output before it broke off is what it had counted until then, not what it sent.
        let isWhole = answer.finished >= max(1, chat.choices ?? 1)
        if answer.bytes > 0, !isWhole || usage.outputTokens <= 0 {
            let counted = counter.estimate(answer, vocabulary())
            if counted > usage.outputTokens {
                usage.outputTokens = counted
                usage.estimated = true
            }
        }
        usage.costNanousd = cost(usage, model: target.model, tier: tier)
        return usage
    }

    /// Tokens of one answer beyond which a report is a mistake, or worse: no model has such a context. Charged as told it would
    /// lock a tenant out of its limits for days.
    private static let most = (input: 16_000_000, output: 4_000_000)

    /// nil for a report that cannot be.
    private static func believed(_ usage: ChatAPI.Usage) -> ChatAPI.Usage? {
        usage.inputTokens <= most.input && usage.outputTokens <= most.output ? usage : nil
    }

    /// Nano-dollars for `usage` of the provider's model; nil, and noted, when its price is not known.
    package func cost(_ usage: ChatAPI.Usage, model: String, tier: String? = nil) -> Int? {
        let now = now()
        let cost = catalog.price(model, at: now, tier: tier)?.cost(usage)
        if cost == nil, usage.inputTokens > 0 || usage.outputTokens > 0 {
            // A model whose standard price is known is told with the tariff that has none.
            unpriced.note(TierTable.charged(tier).map { "\(model) (\($0))" } ?? model, now: now)
        }
        return cost
    }

    /// What a moderation of `input` (a text, texts or parts) is charged; its answer tells no tokens.
    package func usage(moderating input: JSON?, target: Target) -> ChatAPI.Usage {
        let parts = input?.array ?? [input].compactMap { $0 }
        let texts = parts.compactMap { $0.string ?? $0["text"]?.string }
        let images = parts.count { $0["type"]?.string == "image_url" }
        var usage = ChatAPI.Usage(
            inputTokens: counter.estimate(texts, TokenVocabulary.of(target.model)) + images * ChatTokens.image, estimated: true)
        usage.costNanousd = cost(usage, model: target.model)
        return usage
    }

    /// `reply` with its cost; texts are counted here when the provider did not.
    package func charged(_ reply: RouterAPI.EmbedReply, for request: RouterAPI.EmbedRequest, target: Target)
        -> RouterAPI.EmbedReply
    {
        var charged = reply
        if reply.inputTokens <= 0 {
            charged.inputTokens = counter.estimate(request.inputs, TokenVocabulary.of(target.model))
        }
        charged.costNanousd = cost(ChatAPI.Usage(inputTokens: charged.inputTokens), model: target.model)
        return charged
    }
}

extension Accounting {
    /// What a token of input and one of output cost at most, whichever of `targets` serves: nano-dollars, rounded up; 0 where no
    /// price is known. Prices for long inputs are left out: an estimate made of this is of usual ones.
    package func dearest(_ targets: [Target]) -> (input: Int, output: Int) {
        let now = now()
        return targets.compactMap { catalog.price($0.model, at: now) }.reduce(into: (input: 0, output: 0)) { most, price in
            most.input = max(most.input, (price.input + 999) / 1000)
            most.output = max(most.output, (price.output + 999) / 1000)
        }
    }
}
