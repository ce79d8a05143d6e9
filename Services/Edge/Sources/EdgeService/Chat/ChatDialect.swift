import BulkheadAPI
import BulkheadJSON
import HTTPTypes
import NIOCore

/// What edge itself knows of an answer when it is complete: for headers, and for the member `bulkhead` at a stream's end.
package struct AnswerFacts: Sendable, Equatable {
    /// Who served.
    package var served: ChatAPI.Served
    /// What it took; nil when the router did not say.
    package var usage: ChatAPI.Usage?
    /// Services and targets that were missing.
    package var degraded: [String]
    /// Time spent in edge, admission included.
    package var overheadMilliseconds: Double
    /// Bytes of text and tool input that reached the client.
    package var streamedBytes = 0

    /// Facts of an answer; nothing is known at first.
    package init(
        served: ChatAPI.Served = ChatAPI.Served(), usage: ChatAPI.Usage? = nil, degraded: [String] = [],
        overheadMilliseconds: Double = 0
    ) {
        self.served = served
        self.usage = usage
        self.degraded = degraded
        self.overheadMilliseconds = overheadMilliseconds
    }

    /// What a stream that broke off before it told its usage has cost at least: four bytes are about a token.
    mutating func estimateUsage(bodyBytes: Int) {
        guard usage == nil, streamedBytes > 0 else { return }
        usage = ChatAPI.Usage(inputTokens: bodyBytes / 4, outputTokens: (streamedBytes + 3) / 4, estimated: true)
    }

    /// What the caller's limits are charged with: an answer from the cache took no tokens of any provider.
    var charged: ChatAPI.Usage? { isCached ? ChatAPI.Usage(costNanousd: 0) : usage }

    /// It came from a cache of ours.
    var isCached: Bool {
        switch served.cache {
        case .exact, .normalized, .semantic, .stale: true
        case .miss, .off, .unspecified: false
        }
    }

    /// `x-bulkhead-cost-usd`; `unknown` when the price is.
    var cost: String { usage?.costNanousd.map(Self.dollars) ?? "unknown" }

    /// Nano-dollars as dollars, exactly.
    package static func dollars(_ nano: Int) -> String {
        let fraction = String(nano.magnitude % 1_000_000_000)
        let digits = String(repeating: "0", count: 9 - fraction.count) + fraction
        let trimmed = digits.prefix(
            digits.lastIndex { $0 != "0" }.map { digits.distance(from: digits.startIndex, to: $0) + 1 } ?? 0)
        return (nano < 0 ? "-" : "") + String(nano.magnitude / 1_000_000_000) + (trimmed.isEmpty ? "" : ".\(trimmed)")
    }

    /// The member `bulkhead`; `cost_usd` is null when the price is not known.
    func write(to writer: inout JSONWriter) {
        writer.object("bulkhead") { writer in
            if let nano = usage?.costNanousd {
                writer.field("cost_usd", Self.dollars(nano))
            } else {
                // Not known is not free.
                writer.name("cost_usd")
                writer.raw("null")
            }
            writer.field("cache", served.cache.header)
            writer.field("provider", served.provider)
            writer.field("model", served.model)
            writer.field("attempts", served.attempts)
            writer.name("overhead_ms")
            writer.raw(Self.rounded(overheadMilliseconds))
            if usage?.estimated == true { writer.field("usage_estimated", true) }
            if !degraded.isEmpty { writer.array("degraded") { list in for name in degraded { list.value(name) } } }
        }
    }

    /// With three decimals.
    static func rounded(_ milliseconds: Double) -> String {
        let micro = Int((max(0, milliseconds) * 1000).rounded())
        let fraction = String(micro % 1000)
        return "\(micro / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}

extension ChatAPI.CacheOutcome {
    /// The word of `x-bulkhead-cache`.
    var header: String {
        switch self {
        case .unspecified, .miss: "miss"
        case .exact: "exact"
        case .normalized: "normalized"
        case .semantic: "semantic"
        case .stale: "stale"
        case .off: "off"
        }
    }
}

/// Writes the events of an answer as the events of a dialect's stream.
package protocol ChatStream {
    /// Appends what `event` is in the dialect. - Throws: `EdgeError` when the dialect cannot express it.
    mutating func write(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws
    /// Appends the end of a complete answer. - Throws: `EdgeError` when it is not complete.
    mutating func finish(_ facts: AnswerFacts, into buffer: inout ByteBuffer) throws
    /// Appends the event that says the answer failed.
    func fail(_ error: EdgeError, into buffer: inout ByteBuffer)
    /// A sign of life while the provider is silent.
    var keepAlive: ByteBuffer { get }
}

/// A client dialect of chat.
package protocol ChatDialect: Sendable {
    /// How errors are told.
    var errorShape: ErrorShape { get }
    /// The request in canonical form. - Throws: `EdgeError` 400 naming the member that is wrong.
    func decode(_ body: JSON) throws -> ChatCall
    /// The whole answer to `call`.
    func encode(_ answer: CollectedAnswer, to call: ChatCall, _ facts: AnswerFacts, requestID: String) -> ByteBuffer
    /// The writer of a streamed answer.
    func stream(_ call: ChatCall, requestID: String) -> any ChatStream
}
