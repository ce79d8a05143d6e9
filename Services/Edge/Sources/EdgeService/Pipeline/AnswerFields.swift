import BulkheadAPI
import HTTPTypes

/// The headers of model answers.
enum AnswerFields {
    /// What is known of an answer before its first token.
    static func served(_ facts: AnswerFacts) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(12)
        // Appended, not set: nothing is there yet that would have to be looked for and replaced.
        // Nobody has served yet when the head goes out as a sign of life: the end of the stream says who did.
        if !facts.served.provider.isEmpty {
            fields.append(HTTPField(name: .bulkheadCache, value: facts.served.cache.header))
            fields.append(HTTPField(name: .bulkheadProvider, value: facts.served.provider))
            fields.append(HTTPField(name: .bulkheadModel, value: facts.served.model))
            fields.append(HTTPField(name: .bulkheadAttempts, value: String(facts.served.attempts)))
        }
        fields.append(HTTPField(name: .bulkheadOverhead, value: AnswerFacts.rounded(facts.overheadMilliseconds)))
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
