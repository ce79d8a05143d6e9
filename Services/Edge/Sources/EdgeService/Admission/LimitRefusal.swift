import BulkheadAPI
import BulkheadCore

/// A refusal that time undoes: of a limit of requests or tokens per minute, or of requests at once. Budgets, blocks and whatever
/// a wait of a second does not change are none.
package struct LimitRefusal: Sendable, Equatable {
    private static let minute = 60_000

    /// Whose limit it was; of several the one that refuses longest.
    package let subject: LimitedSubject
    /// Until the request is admitted; nil: nobody knows, as with places that others have.
    package let wait: Duration?
    private let reply: SessionAPI.AdmitReply

    /// - Parameter endUser: the user the body names.
    /// - Returns: nil when waiting is of no use.
    package init?(_ reply: SessionAPI.AdmitReply, endUser: String?) {
        guard reply.verdict == .rateLimited else { return nil }
        let rates = [reply.requests, reply.tokens].compactMap(\.self).filter { $0.retryAfterMS > 0 }
        let places = reply.concurrency.flatMap { $0.retryAfterMS > 0 ? $0 : nil }
        guard let longest = rates.max(by: { $0.retryAfterMS < $1.retryAfterMS }) ?? places else { return nil }
        wait = rates.isEmpty ? nil : .milliseconds(longest.retryAfterMS)
        self.reply = reply
        switch longest.scope {
        case "tenant": subject = .tenant(reply.tenant)
        case "user":
            let user = UserScope.text(user: reply.user, endUser: endUser, keyID: reply.keyID)
            subject = .user(tenant: reply.tenant, user)
        default: subject = .key(reply.keyID)
        }
    }

    /// Whether a request takes of what is short.
    func concerns(_ cost: LimitCost) -> Bool {
        isShort(reply.requests) || isShort(reply.concurrency) || isShort(reply.tokens) && cost.tokens > 0
    }

    /// In which time as much comes back as a request takes.
    func time(for cost: LimitCost) -> Duration {
        var longest = 0
        for (limit, amount) in [(reply.requests, cost.weight), (reply.tokens, cost.tokens)] where isShort(limit) {
            let (product, overflow) = amount.multipliedReportingOverflow(by: Self.minute)
            longest = max(longest, overflow ? .max / 2 : product / max(1, limit?.limit ?? 1))
        }
        return .milliseconds(longest)
    }

    /// What another request of the subject is told that is not asked about, as those before it take what comes back.
    /// - Parameters:
    ///   - wait: until it may be admitted.
    ///   - owner: whom the other request counts for.
    func told(wait: Duration, _ owner: KeyOwner, endUser: String?) -> RefusedAtLimit {
        var reply = reply
        let milliseconds = Int(wait.milliseconds.rounded(.up))
        let told = { (limit: SessionAPI.RateLimit?) -> SessionAPI.RateLimit? in
            // What else is known was told of another key, or another user.
            guard var limit, limit.scope == scope else { return nil }
            if limit.retryAfterMS > 0 { limit.retryAfterMS = max(1, milliseconds) }
            return limit
        }
        (reply.requests, reply.tokens, reply.concurrency) = (told(reply.requests), told(reply.tokens), told(reply.concurrency))
        reply.budget = nil
        reply.violated = reply.violated.filter { $0.hasPrefix(scope + "-") }
        (reply.keyID, reply.tenant, reply.user) = (owner.keyID, owner.tenant, owner.user)
        let limits = CallerLimits(reply, endUser: endUser)
        return RefusedAtLimit(limits.refusal(reply), limits: limits)
    }

    private var scope: String {
        switch subject {
        case .key: "key"
        case .user: "user"
        case .tenant: "tenant"
        }
    }

    private func isShort(_ limit: SessionAPI.RateLimit?) -> Bool { limit.map { $0.retryAfterMS > 0 } ?? false }
}

/// Whom the requests of a key count for.
package struct KeyOwner: Sendable, Equatable {
    let keyID: String
    let tenant: String
    /// Empty: the key itself, or whom the body names.
    package let user: String

    /// Whose limits a request is held against.
    /// - Parameter endUser: the user the body names.
    func subjects(endUser: String?) -> [LimitedSubject] {
        [.tenant(tenant), .user(tenant: tenant, UserScope.text(user: user, endUser: endUser, keyID: keyID)), .key(keyID)]
    }
}
