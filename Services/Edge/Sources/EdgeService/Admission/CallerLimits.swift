import BulkheadAPI
import BulkheadCore

/// The limits a request was held against, as session told them, and for whom.
package struct CallerLimits: Sendable, Equatable {
    /// Requests per minute.
    var requests: SessionAPI.RateLimit?
    /// Tokens per minute.
    var tokens: SessionAPI.RateLimit?
    /// Requests at once.
    var concurrency: SessionAPI.RateLimit?
    /// Money, of the budget with the least left.
    var budget: SessionAPI.Budget?
    /// Until the budget that refused the request admits again, in milliseconds; 0: it did not.
    var budgetWaitMS = 0
    /// Who is limited.
    var keyID = ""
    var tenant = ""
    /// Empty: the key itself.
    var user = ""
    /// Who shows a token, which is no API key.
    var isToken = false

    /// None is known.
    package init() {}

    /// - Parameters:
    ///   - endUser: the user the body names.
    ///   - isToken: a token was shown; else the key's id tells.
    package init(_ reply: SessionAPI.AdmitReply, endUser: String? = nil, isToken: Bool = false) {
        requests = Self.real(reply.requests)
        tokens = Self.real(reply.tokens)
        concurrency = Self.real(reply.concurrency)
        budget = reply.budget.flatMap { $0.limit > 0 ? $0 : nil }
        budgetWaitMS = reply.verdict == .budgetExceeded ? reply.retryAfterMS : 0
        keyID = reply.keyID
        self.isToken = isToken || reply.keyID.hasPrefix(TokenBearer.idPrefix)
        tenant = reply.tenant
        user = reply.user.isEmpty ? endUser ?? "" : reply.user
    }

    private static func real(_ limit: SessionAPI.RateLimit?) -> SessionAPI.RateLimit? {
        limit.flatMap { $0.limit > 0 ? $0 : nil }
    }

    /// The request has the last place of its key, user or tenant.
    var isLastPlace: Bool { concurrency.map { $0.remaining <= 0 } ?? false }

    /// Milliseconds as this caller is told them: up to a fifth more, always the same part. Callers that are refused together do
    /// not come back in one second, and nobody comes too early.
    package func told(_ milliseconds: Int) -> Int {
        // A year is as long as any: no sum here leaves an Int.
        let honest = min(max(0, milliseconds), 31_536_000_000)
        return honest + honest * Int(spread) / 5120
    }

    /// 0…1023 by caller; another one with every start of the process.
    private var spread: UInt64 {
        var hasher = Hasher()
        hasher.combine(keyID)
        hasher.combine(user)
        return UInt64(bitPattern: Int64(hasher.finalize())) >> 54
    }
}

/// A refusal together with the limits it came from, for the headers.
struct RefusedAtLimit: Error {
    let error: EdgeError
    let limits: CallerLimits
    /// Set when a short wait may undo the refusal.
    let brief: LimitRefusal?

    var isBrief: Bool { brief != nil }

    init(_ error: EdgeError, limits: CallerLimits, brief: LimitRefusal? = nil) {
        self.error = error
        self.limits = limits
        self.brief = brief
    }
}
