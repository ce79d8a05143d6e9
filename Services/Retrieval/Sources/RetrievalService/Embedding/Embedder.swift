import BulkheadCore
import BulkheadObservability
import Synchronization

/// Texts to vectors: checks a request, answers from the cache what it can, computes the rest off the event loop.
package final class Embedder: Sendable {
    /// Runs work that blocks or computes on another thread.
    package typealias Offload =
        @Sendable (@escaping @Sendable () throws -> [EmbeddingModel.Embedded]) async throws
        -> [EmbeddingModel.Embedded]

    /// What a call gets.
    package struct Answer: Sendable {
        /// One for each input, in order, of length 1.
        package var vectors: [[Float]]
        /// Ids the model read for all inputs, cached or not.
        package var tokens: Int
    }

    /// Texts a call may bring.
    package static let maximumInputs = 2048
    /// Bytes of UTF-8 a text may have. Far beyond the 256 tokens the model reads: a bound on work, not on meaning.
    package static let maximumTextBytes = 64 << 10
    /// Texts computed in one turn: at most a tenth of a second.
    private static let textsPerTurn = 4

    /// For the verb `model` and the gauges.
    package let cache: EmbeddingCache
    /// The line before the model.
    package let gate = ComputeGate(limit: 2, waiting: 64)
    /// Where the model comes from.
    package let holder: ModelHolder
    package let meters: EmbeddingMeters
    private let offload: Offload

    /// An embedder over the model of `holder`.
    package init(holder: ModelHolder, cache: EmbeddingCache, meters: EmbeddingMeters, offload: @escaping Offload) {
        self.holder = holder
        self.cache = cache
        self.meters = meters
        self.offload = offload
    }

    /// Embeds `texts`, keeping the first `dimensions` numbers.
    /// - Throws: INVALID_ARGUMENT `invalid_request`, FAILED_PRECONDITION `model_missing`, RESOURCE_EXHAUSTED `rate_limited`,
    ///   `CancellationError`.
    package func embed(_ texts: [String], dimensions: Int?, tenant: String) async throws -> Answer {
        try Self.check(texts, dimensions)
        var known: [String: EmbeddingModel.Embedded] = [:]
        let missing = lookUp(texts, tenant, &known)
        let start = MonotonicTime.now()
        if !missing.isEmpty {
            for (text, embedded) in zip(missing, try await compute(missing)) {
                known[text] = embedded
                cache.insert(embedded, for: .init(tenant: tenant, text: text))
            }
            meters.computed(texts: missing.count, in: .now() - start)
        }
        return Self.answer(texts, known, dimensions)
    }

    /// Fills `known` from the cache; gives the other texts, each once.
    private func lookUp(
        _ texts: [String], _ tenant: String, _ known: inout [String: EmbeddingModel.Embedded]
    ) -> [String] {
        var seen: Set<String> = []
        var missing: [String] = []
        for text in texts where seen.insert(text).inserted {
            if let embedded = cache.value(of: .init(tenant: tenant, text: text)) {
                known[text] = embedded
            } else {
                missing.append(text)
            }
        }
        meters.lookedUp(hits: known.count, misses: missing.count)
        return missing
    }

    private func compute(_ texts: [String]) async throws -> [EmbeddingModel.Embedded] {
        let turns = stride(from: 0, to: texts.count, by: Self.textsPerTurn).map {
            Array(texts[$0 ..< min($0 + Self.textsPerTurn, texts.count)])
        }
        do {
            return try await gate.run(turns) { [offload, holder] turn in
                try await offload {
                    let model = try holder.use()
                    return turn.map { model.embed($0) }
                }
            }.flatMap { $0 }
        } catch let error as ModelError {
            throw CallError(
                .failedPrecondition, reason: "model_missing",
                message: "the built-in embedding model cannot be used: \(error); \(Self.remedy)")
        }
    }

    /// What to do about a model that is missing or broken.
    package static let remedy =
        "run deploy/models/fetch.sh (a packaged installation: deploy/models/fetch.sh /usr/share/bulkhead/models)"

    private static func answer(
        _ texts: [String], _ known: [String: EmbeddingModel.Embedded], _ dimensions: Int?
    ) -> Answer {
        var answer = Answer(vectors: [], tokens: 0)
        for text in texts {
            guard let embedded = known[text] else { preconditionFailure("bug: a text was neither cached nor computed") }
            answer.vectors.append(EmbeddingModel.shortened(embedded.vector, to: dimensions ?? EmbeddingModel.dimensions))
            answer.tokens += embedded.tokens
        }
        return answer
    }

    private static func check(_ texts: [String], _ dimensions: Int?) throws {
        guard !texts.isEmpty else { throw invalid("input has no texts; send at least one") }
        guard texts.count <= maximumInputs else {
            throw invalid("input has \(texts.count) texts, allowed are \(maximumInputs); send them in several requests")
        }
        for (index, text) in texts.enumerated() where text.utf8.count > maximumTextBytes {
            throw invalid(
                "input[\(index)] has \(text.utf8.count) bytes, allowed are \(maximumTextBytes); split it into smaller texts")
        }
        if let dimensions, !(1 ... EmbeddingModel.dimensions).contains(dimensions) {
            throw invalid("dimensions is \(dimensions), allowed are 1 to \(EmbeddingModel.dimensions) (\(EmbeddingModel.name))")
        }
    }

    private static func invalid(_ message: String) -> CallError {
        CallError(.invalidArgument, reason: "invalid_request", message: message)
    }
}
