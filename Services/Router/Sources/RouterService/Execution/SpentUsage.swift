import BulkheadAPI

/// What the tries of one request have cost that broke off after content was seen.
package struct SpentUsage: Sendable, Equatable {
    /// Nano-dollars; nil when a price is not known.
    private var cost: Int? = 0
    private var outputTokens = 0
    /// Output tokens of broken tries that the present answer goes on from.
    private var continuedTokens = 0
    /// The last broken try's input.
    private var inputTokens = 0
    /// A try broke off.
    package private(set) var isAny = false

    package init() {}

    /// The next try begins an answer of its own.
    package mutating func beginAnswer() { continuedTokens = 0 }

    package mutating func add(_ usage: ChatAPI.Usage) {
        isAny = true
        inputTokens += usage.inputTokens
        outputTokens += usage.outputTokens
        continuedTokens += usage.outputTokens
        cost = Self.sum(cost, usage.costNanousd)
    }

    /// The usage of the whole answer, of which `usage` is the last try's. Tokens are those of the answer the caller has; the cost
    /// is that of all tries.
    package func total(with usage: ChatAPI.Usage) -> ChatAPI.Usage {
        guard isAny else { return usage }
        var total = usage
        total.outputTokens += continuedTokens
        total.costNanousd = Self.sum(cost, usage.costNanousd)
        return total
    }

    /// What was spent on an answer that never became whole; nil when nothing was.
    package var wasted: ChatAPI.Usage? {
        isAny
            ? ChatAPI.Usage(inputTokens: inputTokens, outputTokens: outputTokens, costNanousd: cost, estimated: true) : nil
    }

    private static func sum(_ left: Int?, _ right: Int?) -> Int? {
        guard let left, let right else { return nil }
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
