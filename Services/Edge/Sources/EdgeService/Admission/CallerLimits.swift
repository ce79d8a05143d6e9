import BulkheadAPI
import BulkheadCore

/// The limits a request was held against, as session told them.
struct CallerLimits: Sendable, Equatable {
    /// Requests per minute.
    var requests: SessionAPI.RateLimit?
    /// Tokens per minute.
    var tokens: SessionAPI.RateLimit?
    /// Requests at once.
    var concurrency: SessionAPI.RateLimit?

    /// None is known.
    init() {}

    init(_ reply: SessionAPI.AdmitReply) {
        requests = reply.requests
        tokens = reply.tokens
        concurrency = reply.concurrency
    }

    /// The request has the last place of its key, user or tenant.
    var isLastPlace: Bool { concurrency.map { $0.limit > 0 && $0.remaining <= 0 } ?? false }

    /// What a client is told whose request was refused: which limit, and when to come back.
    var refusal: EdgeError {
        if let concurrency, concurrency.retryAfterMS > 0 {
            return refusal(
                "\(concurrency.limit) requests of this API key, its user or tenant run at once, the most there may be. Let one finish",
                concurrency)
        }
        if let tokens, tokens.retryAfterMS > 0 {
            return refusal("The limit of \(tokens.limit) tokens per minute is reached", tokens)
        }
        guard let requests else { return refusal(retryAfter: .seconds(1)) }
        return refusal("The limit of \(requests.limit) requests per minute is reached", requests)
    }

    /// As `refusal`, where the limit itself is not known.
    func refusal(retryAfter: Duration) -> EdgeError { Self.error("The rate limit of this API key is reached", retryAfter) }

    private func refusal(_ what: String, _ limit: SessionAPI.RateLimit) -> EdgeError {
        Self.error(what, .milliseconds(max(1, limit.retryAfterMS)))
    }

    private static func error(_ what: String, _ wait: Duration) -> EdgeError {
        // As `retry-after` says it: whole seconds, rounded up.
        EdgeError(
            .rateLimited, message: "\(what). Try again in \(max(1, Int((wait.milliseconds / 1000).rounded(.up)))) s.",
            retryAfter: wait)
    }
}

/// A refusal together with the limits it came from, for the headers.
struct RefusedAtLimit: Error {
    let error: EdgeError
    let limits: CallerLimits

    init(_ error: EdgeError, limits: CallerLimits) {
        self.error = error
        self.limits = limits
    }
}
