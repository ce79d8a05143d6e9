import BulkheadAPI

// How an answer of the limits is told to edge.

extension Admission {
    /// Fills in what is left of each kind of limit: the tightest.
    static func show(_ answer: LimitAnswer, _ rules: [LimitRule], _ reply: inout SessionAPI.AdmitReply) {
        reply.limitsLocal = answer.isLocal
        reply.requests = rateLimit(answer, rules) { $0 == .requests } ?? SessionAPI.RateLimit()
        reply.tokens = rateLimit(answer, rules) { $0 == .tokens }
        reply.concurrency = rateLimit(answer, rules) { $0 == .places }
        (reply.budget, reply.otherBudgets) = budgets(answer, rules)
    }

    /// Turns a refusal into a verdict: what will never pass first, then what passes last.
    static func refuse(_ answer: LimitAnswer, _ rules: [LimitRule], _ reply: inout SessionAPI.AdmitReply) {
        let refusing = zip(rules, answer.standings).filter { !$0.1.isAdmitted }
        reply.violated = refusing.compactMap { rule, _ in
            if case .runaway = rule.kind { nil } else { "\(rule.subject.scope)-\(rule.word)" }
        }
        let find = { (fits: (LimitRule, LimitStanding) -> Bool) in refusing.first { fits($0.0, $0.1) } }
        if let (_, standing) = find({ $1.isNever }) {
            reply.verdict = .costAboveLimit
            reply.reason = "the request weighs more than the \(standing.limit) requests per minute that may run"
        } else if let (rule, standing) = longestBudget(refusing) {
            reply.verdict = .budgetExceeded
            reply.reason = "the \(rule.subject.scope)'s budget does not cover the request"
            reply.retryAfterMS = milliseconds(standing.retryAfter)
        } else if let (rule, standing) = find({ rule, _ in if case .runaway = rule.kind { true } else { false } }) {
            reply.verdict = .runaway
            reply.reason = runaway(rule)
            reply.retryAfterMS = milliseconds(standing.retryAfter)
        } else {
            reply.verdict = .rateLimited
            reply.reason = reason(refusing)
            if answer.isFull { reply.retryAfterMS = 1000 }
        }
    }

    /// Of several budgets that refuse, the one that does so longest: who comes back before is refused again.
    private static func longestBudget(_ refusing: [(LimitRule, LimitStanding)]) -> (LimitRule, LimitStanding)? {
        refusing.filter { if case .budget = $0.0.kind { true } else { false } }.max { $0.1.retryAfter < $1.1.retryAfter }
    }

    private static func runaway(_ rule: LimitRule) -> String {
        guard case .runaway(_, let window) = rule.kind else { return "" }
        return "more than \(rule.most) near-identical calls in \(Words.duration(window)) "
            + "(session.runaway.identical_calls: \(rule.most))"
    }

    private static func reason(_ refusing: [(LimitRule, LimitStanding)]) -> String {
        func limit(_ kind: LimitRule.Kind) -> Int? { refusing.first { $0.0.kind == kind }?.1.limit }
        if let most = limit(.places) { return "\(most) requests run at once, the most there may" }
        if let most = limit(.tokens) { return "the limit of \(most) tokens per minute is reached" }
        if let most = limit(.requests) { return "the limit of \(most) requests per minute is reached" }
        return "\(LocalLimits.capacity) requests run at once in this suite, the most there may"
    }

    /// Of those that refuse the one that refuses longest, else the one with the least left.
    private static func rateLimit(
        _ answer: LimitAnswer, _ rules: [LimitRule], _ isOf: (LimitRule.Kind) -> Bool
    ) -> SessionAPI.RateLimit? {
        var found: Int?
        for index in rules.indices where isOf(rules[index].kind) {
            guard let known = found else {
                found = index
                continue
            }
            let (new, old) = (answer.standings[index], answer.standings[known])
            if (-new.retryAfter, new.remaining) < (-old.retryAfter, old.remaining) { found = index }
        }
        guard let found else { return nil }
        let standing = answer.standings[found]
        return SessionAPI.RateLimit(
            limit: standing.limit, remaining: standing.remaining, resetMS: milliseconds(standing.reset),
            retryAfterMS: milliseconds(standing.retryAfter), scope: rules[found].subject.scope)
    }

    /// Of those that refuse the one that refuses longest, else the one with the least left; and the others.
    private static func budgets(
        _ answer: LimitAnswer, _ rules: [LimitRule]
    ) -> (SessionAPI.Budget?, others: [SessionAPI.Budget]) {
        let found = rules.indices.filter { if case .budget = rules[$0].kind { true } else { false } }
            .sorted { one, other in
                let (one, other) = (answer.standings[one], answer.standings[other])
                return (-one.retryAfter, one.remaining) < (-other.retryAfter, other.remaining)
            }
        let budgets = found.map { budget(answer.standings[$0], rules[$0]) }
        return (budgets.first, Array(budgets.dropFirst()))
    }

    private static func budget(_ standing: LimitStanding, _ rule: LimitRule) -> SessionAPI.Budget {
        guard case .budget(let window) = rule.kind else { return SessionAPI.Budget() }
        return SessionAPI.Budget(
            limit: standing.limit, remaining: standing.remaining, resetMS: milliseconds(standing.reset),
            windowMS: Int(window), scope: rule.subject.scope)
    }

    private static func milliseconds(_ microseconds: Int64) -> Int { Int((microseconds + 999) / 1000) }
}
