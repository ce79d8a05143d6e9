/// The classes of provider errors. The status decides, where it is honest; words decide where providers hide one class inside
/// another.
enum ErrorClass {
    /// 400: wrong, whoever is asked.
    case invalid
    case unprocessable
    /// The context is too short for the request.
    case tooLong
    /// The provider refuses the content.
    case policy
    /// 413.
    case tooLarge
    /// 404 for something other than the model.
    case notFound
    /// This provider does not have the model: another one may.
    case unknownModel
    /// The stored secret is refused.
    case secret
    /// The account may not use this model, or not in this way.
    case forbidden
    /// The account is empty: does not pass by waiting.
    case quota
    case rate
    case timeout
    /// The provider's own trouble.
    case trouble
    /// Not a status of an error.
    case noError

    init(_ error: ProviderError) {
        let words = error.message.lowercased()
        let codes = [error.code, error.type]
        self =
            switch error.status {
            case 402: .quota
            case 401: .secret
            case 403:
                Self.isPolicy(codes, words)
                    ? .policy : Self.isQuota(codes, words) ? .quota : Self.isSecret(codes, words) ? .secret : .forbidden
            case 404: Self.isModel(codes, words) ? .unknownModel : .notFound
            case 408, 504: .timeout
            // Gemini tells in a quota's id only that it is the day's.
            case 429: Self.isQuota(codes, words) || error.detail.contains("PerDay") ? .quota : .rate
            case 409, 424, 425, 499, 500...: .trouble
            case 400 ..< 500: Self.refusal(error.status, codes, words)
            default: .noError
            }
    }

    /// 400, 413, 422 and their like.
    private static func refusal(_ status: Int, _ codes: [String], _ words: String) -> ErrorClass {
        // Anthropic reports an empty account as a bad request, Gemini a refused key.
        if isQuota(codes, words) { return .quota }
        if isSecret(codes, words) { return .secret }
        // The tokens of a minute, not of a request: Groq says 413.
        if status == 413, words.contains("per minute") || words.contains("rate limit") { return .rate }
        if isTooLong(codes, words) { return .tooLong }
        if isPolicy(codes, words) { return .policy }
        if status == 413 { return .tooLarge }
        if isModel(codes, words) { return .unknownModel }
        return status == 422 ? .unprocessable : .invalid
    }

    private static let quotaCodes: Set<String> = [
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_balance",
        "ServiceQuotaExceededException",
    ]
    private static let quotaWords = [
        "credit balance is too low", "insufficient balance", "insufficient credits", "too many tokens per day",
    ]
    private static let secretCodes: Set<String> = [
        "API_KEY_INVALID", "invalid_api_key", "authentication_error", "UnrecognizedClientException", "InvalidSignatureException",
        "ExpiredTokenException", "MissingAuthenticationTokenException",
    ]
    private static let secretWords = [
        "api key not valid", "api key expired", "invalid api key", "security token included in the request is invalid",
        "api key was reported as leaked",
    ]
    private static let longCodes: Set<String> = [
        "context_length_exceeded", "string_above_max_length", "exceed_context_size_error", "context_window_exceeded",
        "model_context_window_exceeded",
    ]
    private static let longWords = [
        "maximum context length", "context length exceeded", "context window", "exceed context limit",
        "exceeds the context limit", "prompt is too long", "input is too long", "too many input tokens", "maximum prompt length",
        "input token count", "exceeds the maximum number of tokens", "reduce the length of the messages",
        "available context size", "maximum model length", "max_model_len", "input length exceeds", "too many tokens:",
        "longer than the maximum",
    ]
    private static let policyCodes: Set<String> = [
        "content_policy_violation", "content_filter", "content_policy", "moderation_blocked", "invalid_prompt",
        "data_inspection_failed", "PROHIBITED_CONTENT", "SAFETY", "BLOCKLIST", "SPII", "ResponsibleAIPolicyViolation",
    ]
    private static let policyWords = [
        "content management policy", "content filtering policy", "usage policy", "usage policies", "safety system",
        "flagged as potentially violating",
    ]

    private static func isQuota(_ codes: [String], _ words: String) -> Bool {
        codes.contains { quotaCodes.contains($0) } || quotaWords.contains { words.contains($0) }
    }

    private static func isSecret(_ codes: [String], _ words: String) -> Bool {
        codes.contains { secretCodes.contains($0) } || secretWords.contains { words.contains($0) }
    }

    private static func isTooLong(_ codes: [String], _ words: String) -> Bool {
        codes.contains { longCodes.contains($0) } || longWords.contains { words.contains($0) }
    }

    private static func isPolicy(_ codes: [String], _ words: String) -> Bool {
        codes.contains { policyCodes.contains($0) } || policyWords.contains { words.contains($0) }
    }

    private static func isModel(_ codes: [String], _ words: String) -> Bool {
        if codes.contains("model_not_found") || codes.contains("ResourceNotFoundException") { return true }
        let isNamed = words.contains("model")
        return isNamed
            && ["not found", "does not exist", "not exist", "model:", "unknown model", "model identifier is invalid"]
                .contains { words.contains($0) }
    }
}
