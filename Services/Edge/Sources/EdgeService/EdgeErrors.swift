import BulkheadAPI
import BulkheadCore
import NIOCore

/// The classes of errors a client can see: status, and the `type` each dialect gives it.
package enum ErrorClass: Sendable {
    /// 400 to 429.
    case badRequest, unauthenticated, forbidden, notFound, methodNotAllowed, conflict, gone, tooLarge, unsupportedMedia,
        unprocessable, rateLimited, quotaExceeded
    /// 500 to 504.
    case `internal`, badGateway, unavailable, overloaded, timeout

    /// The HTTP status.
    package var status: Int { row.status }
    /// OpenAI's `error.type`.
    package var openAI: String { row.openAI }
    /// Anthropic's `error.type`.
    package var anthropic: String { row.anthropic }
    /// The code when nothing says it better.
    var code: String { row.code }

    private var row: (status: Int, openAI: String, anthropic: String, code: String) {
        switch self {
        case .badRequest: (400, "invalid_request_error", "invalid_request_error", "invalid_request")
        case .unauthenticated: (401, "authentication_error", "authentication_error", "invalid_api_key")
        case .forbidden: (403, "permission_error", "permission_error", "forbidden")
        case .notFound: (404, "invalid_request_error", "not_found_error", "not_found")
        case .methodNotAllowed: (405, "invalid_request_error", "invalid_request_error", "method_not_allowed")
        case .conflict: (409, "invalid_request_error", "invalid_request_error", "conflict")
        case .gone: (410, "invalid_request_error", "invalid_request_error", "gone")
        case .tooLarge: (413, "invalid_request_error", "request_too_large", "payload_too_large")
        case .unsupportedMedia: (415, "invalid_request_error", "invalid_request_error", "unsupported_media_type")
        case .unprocessable: (422, "invalid_request_error", "invalid_request_error", "unprocessable")
        case .rateLimited: (429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded")
        // Anthropic's clients know no other word for a 429.
        case .quotaExceeded: (429, "insufficient_quota", "rate_limit_error", "budget_exceeded")
        case .internal: (500, "server_error", "api_error", "internal_error")
        case .badGateway: (502, "server_error", "api_error", "upstream_error")
        case .unavailable: (503, "server_error", "api_error", "service_unavailable")
        case .overloaded: (503, "server_error", "overloaded_error", "overloaded")
        case .timeout: (504, "server_error", "timeout_error", "timeout")
        }
    }
}

/// What a client is told when its request fails. Holds no secret, prompt or path of this machine.
package struct EdgeError: Error, Sendable, Equatable {
    /// Its class.
    package var kind: ErrorClass
    /// Stable; documented in the manual page.
    package var code: String
    /// What was wrong, with which value, and what to do.
    package var message: String
    /// The member of the request that is wrong, e.g. `messages[2].content`.
    package var param: String?
    /// When a retry may succeed; answers of 429 and 503 always say something.
    package var retryAfter: Duration?
    /// Whether a retry of the same request makes sense.
    package var shouldRetry: Bool
    /// The methods of the route, for 405.
    var allow: String?
    /// Where the rules are published that the request breaks: a reference to a part of this server's documentation.
    var documentation: String?
    /// The first request with the same Idempotency-Key; empty: none.
    var originalRequestID = ""
    /// The request was sent out, and what became of it is not known.
    package var mayHaveRun = false
    /// The limits that refused the request, e.g. `user-tokens`, by their names in `RateLimit-Policy`.
    package var violated: [String] = []
    /// Services that were missing when it was decided.
    package var degraded: [String] = []
    /// What the router says of its tries.
    var upstream: RouterAPI.FailureDetail?

    /// An error; what is not given follows from its class.
    package init(
        _ kind: ErrorClass, code: String? = nil, message: String, param: String? = nil, retryAfter: Duration? = nil,
        shouldRetry: Bool? = nil, allow: String? = nil
    ) {
        self.kind = kind
        self.code = code ?? kind.code
        self.message = message
        self.param = param
        self.retryAfter = retryAfter
        self.shouldRetry = shouldRetry ?? (kind == .rateLimited || kind.status >= 500)
        self.allow = allow
    }

    /// The HTTP status.
    package var status: Int { kind.status }

    /// The same, decided while `service` was missing.
    func without(_ service: ServiceName) -> EdgeError {
        var error = self
        error.degraded = [service.rawValue]
        return error
    }

    /// A member of the request that is missing or wrong.
    static func field(_ param: String, _ message: String) -> EdgeError { EdgeError(.badRequest, message: message, param: param) }
}

// From the errors of other processes.
extension EdgeError {
    private typealias Row = (kind: ErrorClass, code: String, shouldRetry: Bool)

    /// By reason. Reasons not named here go by their status code.
    private static let table: [String: Row] = [
        "invalid_request": (.badRequest, "invalid_request", false),
        "context_length_exceeded": (.badRequest, "context_length_exceeded", false),
        "content_policy_violation": (.badRequest, "content_policy_violation", false),
        "unprocessable": (.unprocessable, "unprocessable", false),
        "payload_too_large": (.tooLarge, "payload_too_large", false),
        "model_not_found": (.notFound, "model_not_found", false),
        "upstream_not_found": (.notFound, "upstream_not_found", false),
        "destination_unknown": (.notFound, "destination_unknown", false),
        "destination_denied": (.forbidden, "destination_denied", false),
        "rate_limited": (.rateLimited, "rate_limit_exceeded", true),
        "insufficient_quota": (.rateLimited, "insufficient_quota", false),
        "upstream_error": (.badGateway, "upstream_error", true),
        "upstream_unreachable": (.badGateway, "upstream_unreachable", true),
        "upstream_auth": (.badGateway, "upstream_auth", false),
        "stream_broken": (.badGateway, "stream_broken", true),
        "breaker_open": (.unavailable, "breaker_open", true),
        "target_disabled": (.unavailable, "target_disabled", false),
        "credentials_unavailable": (.unavailable, "credentials_unavailable", true),
        "secret_missing": (.unavailable, "secret_missing", false),
        "secret_revoked": (.unavailable, "secret_revoked", false),
        "vault_locked": (.unavailable, "vault_locked", false),
        "vault_corrupt": (.unavailable, "vault_corrupt", false),
        "keychain_locked": (.unavailable, "keychain_locked", false),
        "keychain_unavailable": (.unavailable, "keychain_unavailable", true),
        "model_missing": (.unavailable, "model_missing", false),
        "upstream_timeout": (.timeout, "upstream_timeout", true),
    ]

    /// - Parameter peer: the service that was called, for failures of the link to it.
    package init(_ error: CallError, from peer: ServiceName) {
        if let row = Self.table[error.reason] {
            self.init(
                row.kind, code: row.code, message: error.message, retryAfter: error.retryAfter, shouldRetry: row.shouldRetry)
        } else {
            self = Self.byStatus(error, peer)
        }
        mayHaveRun = Self.mayHaveRun(error)
        if peer == .session, kind == .unavailable { degraded = [peer.rawValue] }
        guard peer == .router, !error.detail.isEmpty,
            let detail = try? RouterAPI.FailureDetail.decoded(ByteBuffer(bytes: error.detail))
        else { return }
        upstream = detail
        if detail.outcomeUnknown { mayHaveRun = true }
        // The tries a request may cost are made: a client that repeats it by itself would multiply them.
        if detail.final { shouldRetry = false }
        if kind == .badRequest, code == ErrorClass.badRequest.code, let word = detail.providerCode.flatMap(Self.sane) {
            code = word
        }
    }

    /// Reasons of errors that come after a request went out, and tell nothing of its outcome.
    private static let uncertain: Set<String> = ["upstream_timeout", "stream_broken"]

    /// What is not known not to have run: half an answer, none in time, a link that broke. The router tells of its other errors
    /// itself whether a try may have run.
    private static func mayHaveRun(_ error: CallError) -> Bool {
        if error.notProcessed { return false }
        if uncertain.contains(error.reason) { return true }
        if error.reason == "upstream_error" { return error.detail.isEmpty }
        guard table[error.reason] == nil else { return false }
        switch error.code {
        case .cancelled, .unknown, .deadlineExceeded, .aborted, .internal, .unavailable, .dataLoss: return true
        default: return false
        }
    }

    /// A provider's word for an error, if it looks like one.
    private static func sane(_ code: String) -> String? {
        (1 ... 64).contains(code.utf8.count)
            && code.utf8.allSatisfy {
                (97 ... 122).contains($0) || (65 ... 90).contains($0) || (48 ... 57).contains($0) || $0 == 95
            }
            ? code : nil
    }

    // Messages without a known reason may come from a link and name sockets: they are not passed on, except for the classes
    // where a service judged the request.
    private static func byStatus(_ error: CallError, _ peer: ServiceName) -> EdgeError {
        let retryAfter = error.retryAfter
        switch error.code {
        case .invalidArgument, .outOfRange: return EdgeError(.badRequest, message: error.message)
        case .notFound: return EdgeError(.notFound, message: error.message)
        case .permissionDenied: return EdgeError(.forbidden, message: error.message)
        case .alreadyExists, .aborted: return EdgeError(.conflict, message: error.message)
        case .unimplemented where !error.reason.hasPrefix("link_"):
            return EdgeError(.badRequest, code: "unsupported", message: error.message)
        case .failedPrecondition: return EdgeError(.unavailable, message: error.message, retryAfter: retryAfter)
        case .resourceExhausted:
            return EdgeError(
                .overloaded, message: "The service \(peer.rawValue) is at its limit. Try again shortly.", retryAfter: retryAfter)
        case .deadlineExceeded:
            return EdgeError(
                .timeout, message: "The request was not finished before its deadline. Allow more time or ask for less.")
        case .unavailable, .cancelled, .unimplemented:
            return EdgeError(
                .unavailable, code: "\(peer.rawValue)_unavailable",
                message: "The service \(peer.rawValue) is not available at the moment. Try again shortly.", retryAfter: retryAfter
            )
        case .dataLoss:
            return EdgeError(
                .badGateway, code: "stream_broken", message: "The answer broke off before it was complete. Try again.")
        case .ok, .unknown, .internal, .unauthenticated:
            return EdgeError(
                .internal, message: "The service \(peer.rawValue) failed on this request. The request id finds it in the logs.")
        }
    }
}
