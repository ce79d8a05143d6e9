import BulkheadConfig
import BulkheadCore

/// Which requests the exact cache answers.
package enum ExactCacheScope: String, CaseIterable, Sendable, Codable {
    case always
    /// Requests whose answer the client wants to be the same again: temperature 0, or a seed.
    case deterministic
    case off
}

/// The section `router.cache`.
package struct AnswerCacheConfiguration: Sendable, Equatable {
    /// Answers to the very same request.
    package struct Exact: Sendable, Equatable {
        package var when: ExactCacheScope
        /// How long an answer is used.
        package var ttl: Duration
        package var maxEntries: Int

        /// Answers kept in memory.
        package init(when: ExactCacheScope = .always, ttl: Duration = .seconds(3600), maxEntries: Int = 100_000) {
            self.when = when
            self.ttl = ttl
            self.maxEntries = maxEntries
        }
    }

    /// Answers to requests of the same meaning.
    package struct Semantic: Sendable, Equatable {
        package var isEnabled: Bool
        /// Cosine similarity above which an answer is looked at.
        package var candidateSimilarity: Double
        /// Confidence above which it is used.
        package var minConfidence: Double
        package var ttl: Duration
    }

    package var exact: Exact
    package var semantic: Semantic

    package init(section: ConfigSection) {
        let exact = section.section("exact")
        self.exact = Exact(
            when: exact.choice("when", default: .always),
            ttl: exact.duration("ttl", default: .seconds(3600), in: .seconds(1) ... .seconds(31_536_000)),
            maxEntries: exact.int("max_entries", default: 100_000, in: 1 ... 10_000_000))
        let semantic = section.section("semantic")
        self.semantic = Semantic(
            isEnabled: semantic.bool("enabled", default: false),
            candidateSimilarity: semantic.double("candidate_similarity", default: 0.9, in: 0 ... 1),
            minConfidence: semantic.double("min_confidence", default: 0.95, in: 0 ... 1),
            ttl: semantic.duration("ttl", default: .seconds(7200), in: .seconds(1) ... .seconds(31_536_000)))
        if self.semantic.isEnabled {
            semantic.report(
                "enabled", found: "true", expected: "false: this version has no semantic cache; the exact one works by itself")
        }
    }
}
