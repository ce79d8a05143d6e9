import BulkheadAPI
import HTTPTypes

/// The headers of model answers.
enum AnswerFields {
    /// What is known of an answer before its first token.
    static func served(_ facts: AnswerFacts) -> HTTPFields {
        var fields = HTTPFields()
        // Nobody has served yet when the head goes out as a sign of life: the end of the stream says who did.
        if !facts.served.provider.isEmpty {
            fields[.bulkheadCache] = facts.served.cache.header
            fields[.bulkheadProvider] = facts.served.provider
            fields[.bulkheadModel] = facts.served.model
            fields[.bulkheadAttempts] = String(facts.served.attempts)
        }
        fields[.bulkheadOverhead] = AnswerFacts.rounded(facts.overheadMilliseconds)
        addDegraded(facts.degraded, to: &fields)
        return fields
    }

    /// What is known of a whole answer.
    static func whole(_ facts: AnswerFacts) -> HTTPFields {
        var fields = served(facts)
        fields[.bulkheadCost] = facts.cost
        return fields
    }

    static func addDegraded(_ names: [String], to fields: inout HTTPFields) {
        if !names.isEmpty { fields[.bulkheadDegraded] = names.joined(separator: ",") }
    }

    /// The caller's request limit in the words of the dialect; nothing without a limit.
    static func addLimit(_ limit: SessionAPI.RateLimit?, _ shape: ErrorShape, to fields: inout HTTPFields) {
        guard let limit, limit.limit > 0 else { return }
        let remaining = String(max(0, limit.remaining))
        if shape == .anthropic {
            fields[.anthropicLimitRequests] = String(limit.limit)
            fields[.anthropicRemainingRequests] = remaining
            fields[.anthropicResetRequests] = WallClock.timestamp(WallClock.unixSeconds() + (limit.resetMS + 999) / 1000)
        } else {
            fields[.limitRequests] = String(limit.limit)
            fields[.remainingRequests] = remaining
            fields[.resetRequests] = "\(max(0, limit.resetMS))ms"
        }
    }
}
