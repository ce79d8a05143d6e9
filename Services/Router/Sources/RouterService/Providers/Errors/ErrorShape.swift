import BulkheadAPI
import BulkheadCore
import BulkheadJSON

/// Where the parts of an error stand in its document.
///
/// - OpenAI, Anthropic and most: `{"error": {"message", "type", "code"}}`, the code sometimes a number;
/// - Gemini: `{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message", "details": […]}}`, perhaps in an array;
/// - Bedrock: `{"message"}` and the header `x-amzn-errortype`, or `__type`;
/// - others: `{"error": "text"}`, `{"detail": "text"}`, `{"object": "error", "message", …}`.
struct ErrorShape {
    var message = ""
    var code = ""
    var type = ""
    /// A status the document names.
    private var number: Int?
    private(set) var retryAfter: Duration?

    init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    init(_ document: JSON, _ headers: [CredentialsAPI.Header] = []) {
        let json = document.array?.first ?? document
        let error = json["error"].flatMap { $0.isNull ? nil : $0 } ?? json["response"]?["error"] ?? json
        message = Self.message(error) ?? Self.message(json) ?? ""
        type = error["type"]?.string ?? ""
        number = [error["code"], error["status"], json["status"]].lazy.compactMap { $0?.int }.first { (400 ... 599).contains($0) }
        let exception = headers.first { $0.name.lowercased() == "x-amzn-errortype" }?.value ?? json["__type"]?.string
        code = error["code"]?.string ?? Self.reason(error) ?? error["status"]?.string ?? exception.map(Self.exception) ?? type
        retryAfter = Self.retryAfter(error)
    }

    private static func message(_ json: JSON) -> String? {
        json["message"]?.string ?? json["Message"]?.string ?? json.string ?? json["detail"]?.string
            ?? json["detail"]?[0]?["msg"]?.string
    }

    /// Azure's inner code and Gemini's `ErrorInfo` say more than the word beside them.
    private static func reason(_ error: JSON) -> String? {
        let reasons = (error["details"]?.array ?? []).lazy.compactMap { $0["reason"]?.string }
        return reasons.first { $0.hasPrefix("API_KEY") }
    }

    /// `com.amazonaws#ThrottlingException`, `ThrottlingException:http://…` → `ThrottlingException`.
    private static func exception(_ text: String) -> String {
        String((text.split(separator: "#").last ?? "").prefix { $0 != ":" })
    }

    /// Gemini's `RetryInfo`: `"retryDelay": "34.07s"`.
    private static func retryAfter(_ error: JSON) -> Duration? {
        let delays = (error["details"]?.array ?? []).lazy.compactMap { $0["retryDelay"]?.string }
        guard let text = delays.first, text.hasSuffix("s"), let seconds = Double(text.dropLast()),
            (0 ... 86_400).contains(seconds)
        else { return nil }
        return .milliseconds(Int64(seconds * 1000))
    }

    /// The status an error without one would have had: a number it names, or the meaning of its words.
    var impliedStatus: Int? { number ?? ErrorWords.status(code) ?? ErrorWords.status(type) }
}

/// What providers' words for errors mean as a status.
enum ErrorWords {
    /// nil for a word that is not known. Bedrock writes exceptions in a stream with a small first letter.
    static func status(_ word: String) -> Int? {
        if let known = statuses[word] { return known }
        guard word.hasSuffix("Exception") else { return nil }
        return statuses[word.prefix(1).uppercased() + word.dropFirst()]
    }

    private static let statuses: [String: Int] = [
        // OpenAI and Anthropic
        "invalid_request_error": 400, "context_length_exceeded": 400, "content_policy_violation": 400, "content_filter": 400,
        "invalid_prompt": 400, "string_above_max_length": 400, "invalid_image": 400, "image_parse_error": 400,
        "authentication_error": 401, "invalid_api_key": 401, "billing_error": 402, "permission_error": 403,
        "not_found_error": 404, "model_not_found": 404, "request_too_large": 413, "rate_limit_error": 429,
        "rate_limit_exceeded": 429, "insufficient_quota": 429, "tokens": 429, "requests": 429, "api_error": 500,
        "server_error": 500, "internal_server_error": 500, "server_is_overloaded": 503, "slow_down": 503,
        "service_unavailable": 503, "timeout_error": 504, "timeout": 504, "overloaded_error": 529,
        // Gemini (google.rpc.Code)
        "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "API_KEY_INVALID": 401, "UNAUTHENTICATED": 401,
        "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500,
        "UNKNOWN": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
        // Bedrock
        "ValidationException": 400, "UnrecognizedClientException": 401, "InvalidSignatureException": 401,
        "ExpiredTokenException": 401, "MissingAuthenticationTokenException": 401, "AccessDeniedException": 403,
        "ResourceNotFoundException": 404, "ModelTimeoutException": 408, "ConflictException": 409, "ThrottlingException": 429,
        "ServiceQuotaExceededException": 429, "ModelErrorException": 424, "ModelStreamErrorException": 424,
        "InternalServerException": 500, "ServiceUnavailableException": 503, "ModelNotReadyException": 503,
    ]
}
