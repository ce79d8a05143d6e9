import BulkheadAPI
import HTTPTypes

/// The headers of model answers.
package enum AnswerFields {
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

    /// The caller's limits: as the IETF has them, and in the words of the dialect; nothing without a limit.
    package static func addLimits(_ limits: CallerLimits, _ shape: ErrorShape, to fields: inout HTTPFields) {
        let standard = LimitFields(limits)
        guard !standard.policy.isEmpty else { return }
        // Appended, as nothing else sets them: setting looks through all that is there.
        fields.append(HTTPField(name: .rateLimitPolicy, value: standard.policy))
        fields.append(HTTPField(name: .rateLimit, value: standard.state))
        // An answer that is passed on may have its destination's.
        guard shape != .problem else { return }
        if let requests = limits.requests {
            add(requests, limits, shape == .anthropic ? .anthropicRequests : .requests, to: &fields)
        }
        if let tokens = limits.tokens {
            add(tokens, limits, shape == .anthropic ? .anthropicTokens : .tokens, to: &fields)
        }
    }

    /// The same on an answer of a destination: its own word on its limits stays, and a redirect says nothing of ours, as it
    /// is no use of anything.
    package static func addLimits(_ limits: CallerLimits, relayed status: Int, to fields: inout HTTPFields) {
        guard !(300 ..< 400).contains(status), !fields.contains(.rateLimit), !fields.contains(.rateLimitPolicy) else { return }
        addLimits(limits, .problem, to: &fields)
    }

    private static func add(
        _ limit: SessionAPI.RateLimit, _ limits: CallerLimits, _ names: LimitFieldNames, to fields: inout HTTPFields
    ) {
        fields.append(HTTPField(name: names.limit, value: String(limit.limit)))
        fields.append(HTTPField(name: names.remaining, value: String(max(0, limit.remaining))))
        let milliseconds = LimitFields.reset(limit, limits)
        let reset =
            names.resetIsMoment
            ? WallClock.timestamp(WallClock.unixSeconds() + (milliseconds + 999) / 1000) : duration(milliseconds)
        fields.append(HTTPField(name: names.reset, value: reset))
    }

    /// As OpenAI writes durations: `120ms`, `8.64s`, `6m0s`, `1h0m0s`.
    package static func duration(_ milliseconds: Int) -> String {
        guard milliseconds >= 1000 else { return "\(max(0, milliseconds))ms" }
        let (hours, minutes, rest) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60, milliseconds % 60_000)
        var seconds = String(rest / 1000)
        if rest % 1000 > 0 {
            var fraction = String(rest % 1000 + 1000).dropFirst()
            while fraction.last == "0" { fraction.removeLast() }
            seconds += "." + fraction
        }
        if hours > 0 { return "\(hours)h\(minutes)m\(seconds)s" }
        return minutes > 0 ? "\(minutes)m\(seconds)s" : "\(seconds)s"
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
