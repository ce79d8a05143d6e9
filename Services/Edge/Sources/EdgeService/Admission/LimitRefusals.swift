import BulkheadAPI
import BulkheadCore

// What a client is told whose request a limit, a budget or a block refused: which one, whose, and when to come back.

extension CallerLimits {
    /// Of a verdict that a limit or a block of its caller explains.
    package func refusal(_ reply: SessionAPI.AdmitReply) -> EdgeError {
        let refusal = judged(reply)
        return reply.limitsLocal ? refusal.without(.session) : refusal
    }

    private func judged(_ reply: SessionAPI.AdmitReply) -> EdgeError {
        let wait = reply.retryAfterMS > 0 ? Duration.milliseconds(told(reply.retryAfterMS)) : nil
        switch reply.verdict {
        case .budgetExceeded: return overBudget(violated: reply.violated, wait: reply.retryAfterMS)
        case .tenantBlocked: return tenantBlocked
        case .scopeRefused: return scopeRefused
        case .spendFrozen: return Self.spendFrozen(wait)
        case .runaway:
            return EdgeError(
                .rateLimited, code: "runaway",
                message:
                    "\(Self.sentence(reply.reason) ?? "Too many near-identical calls"): this client seems to run in a circle. Ask for something else, or wait.",
                retryAfter: wait ?? .seconds(60), shouldRetry: false)
        case .costAboveLimit:
            return EdgeError(
                .badRequest, code: "cost_above_limit",
                message: "The request counts more than its limit ever admits\(bracketed(reply.reason)): ask for less at once.")
        default: return rateLimited(reply, wait)
        }
    }

    /// What was shown, for people.
    private var credential: String { isToken ? "token" : "API key" }

    private var tenantBlocked: EdgeError {
        EdgeError(
            .forbidden, code: "tenant_blocked",
            message: "The tenant of this \(credential) is blocked. Its operator can unblock it.")
    }

    var scopeRefused: EdgeError {
        EdgeError(
            .forbidden, code: "scope_not_allowed",
            message: "The scopes of this \(credential) do not cover this route. Use a \(isToken ? "token" : "key") that has them."
        )
    }

    var modelRefused: EdgeError {
        EdgeError(
            .forbidden, code: "model_not_allowed", message: "The \(credential) may not use this model.", param: "model")
    }

    var keyRefused: EdgeError {
        guard !isToken else {
            return EdgeError(
                .unauthenticated, code: "invalid_token",
                message: "The token is not accepted. Get a new one from the identity provider.")
        }
        return EdgeError(
            .unauthenticated,
            message: "The API key is not valid: it does not exist, has expired or was revoked. Use another key.")
    }

    static func spendFrozen(_ wait: Duration? = nil) -> EdgeError {
        EdgeError(
            .quotaExceeded, code: "spend_frozen",
            message:
                "Spending is frozen by the operator, for this tenant or for all: nothing that costs is run until it is unfrozen.",
            retryAfter: wait ?? .seconds(60), shouldRetry: false)
    }

    /// The money is spent.
    /// - Parameters:
    ///   - violated: as session says it; empty: the budget that is known.
    ///   - wait: milliseconds; shorter than the window: the rest is only reserved, by requests that run.
    func overBudget(violated: [String] = [], wait: Int = 0) -> EdgeError {
        let what = budget.map { "The budget of \(Self.money($0.limit)) \(Self.per($0.windowMS)) of \(owner($0.scope))" }
        if wait > 0, wait < budget?.resetMS ?? 0 {
            let owner = what ?? "The budget of this \(credential), its user or tenant"
            var error = EdgeError(
                .quotaExceeded, message: "\(owner) is reserved by requests that run. Try again shortly.",
                retryAfter: .milliseconds(told(wait)), shouldRetry: true)
            error.violated = violated
            return error
        }
        let again = budget.flatMap { $0.resetMS > 0 ? " It begins anew in \(Self.time($0.resetMS))." : nil }
        var error = EdgeError(
            .quotaExceeded, message: "\(what ?? "The budget of this \(credential), its user or tenant") is spent.\(again ?? "")",
            retryAfter: budget.map { .milliseconds(max(1, told($0.resetMS))) }, shouldRetry: false)
        error.violated = violated.isEmpty ? ["\(LimitName.scope(budget?.scope ?? ""))-budget"] : violated
        return error
    }

    private func rateLimited(_ reply: SessionAPI.AdmitReply, _ wait: Duration?) -> EdgeError {
        // The longest wait counts: who comes back before it is refused again.
        let known = [
            (concurrency, LimitName.concurrency), (tokens, LimitName.tokens), (requests, LimitName.requests),
        ].compactMap { limit, kind in limit.map { ($0, kind) } }
        let refusing = known.filter { $0.0.retryAfterMS > 0 }
        guard let (limit, kind) = refusing.max(by: { $0.0.retryAfterMS < $1.0.retryAfterMS }) else {
            return refusal(retryAfter: wait ?? .seconds(1), violated: reply.violated)
        }
        let honest = Duration.milliseconds(max(told(limit.retryAfterMS), told(reply.retryAfterMS)))
        let names = refusing.map { LimitName.text($0.1, $0.0.scope) }
        return Self.error(sentence(limit, kind), honest, reply.violated.isEmpty ? names : reply.violated)
    }

    /// As above, where the limit itself is not known.
    func refusal(retryAfter: Duration, violated: [String] = []) -> EdgeError {
        Self.error(
            "The rate limit of this \(credential) is reached", retryAfter,
            violated.isEmpty ? [LimitName.text(LimitName.requests, "")] : violated)
    }

    private func sentence(_ limit: SessionAPI.RateLimit, _ kind: String) -> String {
        let owner = owner(limit.scope)
        guard kind == LimitName.concurrency else {
            return "The limit of \(limit.limit) \(kind) per minute of \(owner) is reached"
        }
        return "\(limit.limit) requests of \(owner) run at once, the most there may be. Let one finish"
    }

    private static func error(_ what: String, _ wait: Duration, _ violated: [String]) -> EdgeError {
        // As `retry-after` says it: whole seconds, rounded up.
        let again = time(Int(min(wait.milliseconds.rounded(.up), 1e12)))
        var error = EdgeError(.rateLimited, message: "\(what). Try again in \(again).", retryAfter: wait)
        error.violated = violated
        return error
    }

    /// Session's reason as the begin of a sentence; nil without one.
    private static func sentence(_ reason: String) -> String? {
        reason.first.map { $0.uppercased() + reason.dropFirst() }
    }

    private func bracketed(_ reason: String) -> String { reason.isEmpty ? "" : " (\(reason))" }

    private func owner(_ scope: String) -> String {
        switch scope {
        case "user": "this user"
        case "tenant": "this tenant"
        default: "this \(credential)"
        }
    }

    /// Nano-dollars for people.
    private static func money(_ nanousd: Int) -> String {
        let cents = nanousd / 10_000_000
        guard nanousd % 10_000_000 == 0 else { return "$\(AnswerFacts.dollars(nanousd))" }
        return "$\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
    }

    private static func per(_ milliseconds: Int) -> String {
        switch milliseconds {
        case 86_400_000: "a day"
        case 3_600_000: "an hour"
        default: "per \(time(milliseconds))"
        }
    }

    /// The two largest units of a time.
    private static func time(_ milliseconds: Int) -> String {
        let seconds = max(1, (milliseconds + 999) / 1000)
        let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3600, seconds % 3600 / 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        return minutes > 0 ? "\(minutes) min \(seconds % 60) s" : "\(seconds) s"
    }
}
