import BulkheadAPI
import HTTPTypes

/// The headers of model answers.
enum AnswerFields {
    /// What is known of an answer before its first token.
    static func served(_ facts: AnswerFacts) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(16)
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
        fields.append(HTTPField(name: .bulkheadCost, value: facts.cost))
        return fields
    }

    static func addDegraded(_ names: [String], to fields: inout HTTPFields) {
        if !names.isEmpty { fields[.bulkheadDegraded] = names.joined(separator: ",") }
    }

    /// The caller's limits in the words of the dialect; nothing without a limit.
    static func addLimits(_ limits: CallerLimits, _ shape: ErrorShape, to fields: inout HTTPFields) {
        if let requests = limits.requests, requests.limit > 0 {
            add(requests, shape == .anthropic ? .anthropicRequests : .requests, to: &fields)
        }
        if let tokens = limits.tokens, tokens.limit > 0 {
            add(tokens, shape == .anthropic ? .anthropicTokens : .tokens, to: &fields)
        }
    }

    private static func add(_ limit: SessionAPI.RateLimit, _ names: LimitFieldNames, to fields: inout HTTPFields) {
        // Appended, as nothing else sets them: setting looks through all that is there.
        fields.append(HTTPField(name: names.limit, value: String(limit.limit)))
        fields.append(HTTPField(name: names.remaining, value: String(max(0, limit.remaining))))
        let reset =
            names.resetIsMoment
            ? WallClock.timestamp(WallClock.unixSeconds() + (limit.resetMS + 999) / 1000) : String(max(0, limit.resetMS)) + "ms"
        fields.append(HTTPField(name: names.reset, value: reset))
    }
}

/// What a dialect calls the headers of one limit.
private struct LimitFieldNames {
    let limit: HTTPField.Name
    let remaining: HTTPField.Name
    let reset: HTTPField.Name
    /// The reset is a point in time, else a duration.
    let resetIsMoment: Bool

    static let requests = LimitFieldNames(
        limit: .limitRequests, remaining: .remainingRequests, reset: .resetRequests, resetIsMoment: false)
    static let tokens = LimitFieldNames(
        limit: .limitTokens, remaining: .remainingTokens, reset: .resetTokens, resetIsMoment: false)
    static let anthropicRequests = LimitFieldNames(
        limit: .anthropicLimitRequests, remaining: .anthropicRemainingRequests, reset: .anthropicResetRequests,
        resetIsMoment: true)
    static let anthropicTokens = LimitFieldNames(
        limit: .anthropicLimitTokens, remaining: .anthropicRemainingTokens, reset: .anthropicResetTokens, resetIsMoment: true)
}
