import HTTPTypes

/// A header name known to be valid.
private func name(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("bug: \(text) is no header name") }
    return name
}

extension HTTPField.Name {
    static let requestID = name("x-request-id")
    static let correlationID = name("x-correlation-id")
    /// The name Anthropic's clients look for.
    static let plainRequestID = name("request-id")
    static let traceparent = name("traceparent")
    static let traceID = name("x-bulkhead-trace-id")
    /// Marks what a destination answered, as opposed to what is said here.
    static let bulkheadDestination = name("x-bulkhead-destination")
    /// The id an upstream gave a request that was passed on to it.
    static let upstreamRequestID = name("x-bulkhead-upstream-request-id")
    static let apiKey = name("x-api-key")
    static let anthropicVersion = name("anthropic-version")
    static let anthropicBeta = name("anthropic-beta")
    static let idempotencyKey = name("idempotency-key")
    static let idempotentReplayed = name("idempotent-replayed")
    /// The id of the request whose answer is given again.
    static let originalRequestID = name("x-bulkhead-original-request-id")
    static let lastEventID = name("last-event-id")
    static let onUnknown = name("bulkhead-on-unknown")
    static let openAIBeta = name("openai-beta")
    static let link = name("link")
    static let assertedUser = name("x-bulkhead-user")
    static let clientReadTimeout = name("x-stainless-read-timeout")
    static let clientTimeout = name("x-stainless-timeout")
    static let clientRetryCount = name("x-stainless-retry-count")
    static let retryAfterMilliseconds = name("retry-after-ms")
    static let shouldRetry = name("x-should-retry")
    static let bulkheadCache = name("x-bulkhead-cache")
    static let bulkheadProvider = name("x-bulkhead-provider")
    static let bulkheadModel = name("x-bulkhead-model")
    static let bulkheadAttempts = name("x-bulkhead-attempts")
    static let bulkheadOverhead = name("x-bulkhead-overhead-ms")
    static let bulkheadCost = name("x-bulkhead-cost-usd")
    static let bulkheadDegraded = name("x-bulkhead-degraded")
    static let violatedPolicies = name("x-bulkhead-violated-policies")
    static let rateLimit = name("ratelimit")
    static let rateLimitPolicy = name("ratelimit-policy")
    static let limitRequests = name("x-ratelimit-limit-requests")
    static let remainingRequests = name("x-ratelimit-remaining-requests")
    static let resetRequests = name("x-ratelimit-reset-requests")
    static let limitTokens = name("x-ratelimit-limit-tokens")
    static let remainingTokens = name("x-ratelimit-remaining-tokens")
    static let resetTokens = name("x-ratelimit-reset-tokens")
    static let anthropicLimitRequests = name("anthropic-ratelimit-requests-limit")
    static let anthropicRemainingRequests = name("anthropic-ratelimit-requests-remaining")
    static let anthropicResetRequests = name("anthropic-ratelimit-requests-reset")
    static let anthropicLimitTokens = name("anthropic-ratelimit-tokens-limit")
    static let anthropicRemainingTokens = name("anthropic-ratelimit-tokens-remaining")
    static let anthropicResetTokens = name("anthropic-ratelimit-tokens-reset")
    static let contentTypeOptions = name("x-content-type-options")
    static let frameOptions = name("x-frame-options")
    static let referrerPolicy = name("referrer-policy")
    static let accelBuffering = name("x-accel-buffering")
}
