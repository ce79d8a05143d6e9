import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import NIOCore

/// A provider's error answer, read: both dialects and what compatible servers make of them.
package struct ProviderError: Sendable, Equatable {
    /// HTTP status; for an error inside a stream the one it would have had.
    package var status: Int
    /// The provider's own words, cleaned and cut; empty when there were none.
    package var message: String
    /// `error.code`, else `error.type`; empty when there is none.
    package var code: String
    /// `error.type`; empty when there is none.
    package var type: String
    package var retryAfter: Duration?

    /// Characters of a provider's message that are passed on.
    package static let maxMessage = 500

    /// - Parameter body: as much of the body as was read; anything but an error object counts as no body.
    package init(status: Int, headers: [CredentialsAPI.Header], body: ByteBuffer) {
        self.init(status: status, json: (try? JSON.parse(body)) ?? .null)
        retryAfter = RetryAfter.parse(headers)
    }

    /// - Parameter json: the document with the member `error`, or one that is the error itself.
    package init(status: Int, json: JSON) {
        let error = json["error"] ?? json
        self.status = status
        message = Self.cleaned(
            error["message"]?.string ?? error.string ?? json["message"]?.string ?? json["detail"]?.string ?? "")
        type = error["type"]?.string ?? ""
        code = error["code"]?.string ?? type
    }

    /// An error event inside a stream that began well.
    package init(inStream json: JSON) {
        self.init(status: 500, json: json)
        status =
            switch type {
            case "overloaded_error": 529
            case "rate_limit_error", "rate_limit_exceeded": 429
            case "invalid_request_error": 400
            default: code == "rate_limit_exceeded" ? 429 : 500
            }
    }

    /// What the error means for the execution and for the caller.
    package func failure(_ target: Target) -> TargetFailure {
        switch status {
        case 401, 403: return refused(target)
        case 402: return outOfQuota(target)
        case 404:
            return mistake(.notFound, "upstream_not_found", "The provider '\(target.provider)' knows no model '\(target.model)'.")
        case 408, 504:
            return TargetFailure(
                .transient,
                CallError(.deadlineExceeded, reason: "upstream_timeout", message: told(target), retryAfter: retryAfter))
        case 413:
            return mistake(
                .resourceExhausted, "payload_too_large", "The request is too large for the provider '\(target.provider)'.")
        case 422:
            return mistake(.invalidArgument, "unprocessable", "The provider '\(target.provider)' cannot process the request.")
        case 429: return isQuota ? outOfQuota(target) : rateLimited(target)
        case 409, 500...:
            return TargetFailure(
                .transient, CallError(.unavailable, reason: "upstream_error", message: told(target), retryAfter: retryAfter))
        case 400 ..< 500: return badRequest(target)
        default: return .broken(target, "answered \(status), which is neither an answer nor an error")
        }
    }

    private func badRequest(_ target: Target) -> TargetFailure {
        let words = message.lowercased()
        // Anthropic reports an empty account as a bad request.
        if words.contains("credit balance is too low") { return outOfQuota(target) }
        let isTooLong =
            code == "context_length_exceeded"
            || ["maximum context length", "prompt is too long", "context window"].contains { words.contains($0) }
        let isPolicy = ["content_policy_violation", "content_filter"].contains(code)
        let reason = isTooLong ? "context_length_exceeded" : isPolicy ? "content_policy_violation" : "invalid_request"
        return mistake(.invalidArgument, reason, "The provider '\(target.provider)' refused the request as invalid.")
    }

    private func mistake(_ status: StatusCode, _ reason: String, _ unsaid: String) -> TargetFailure {
        TargetFailure(.callersMistake, CallError(status, reason: reason, message: message.isEmpty ? unsaid : message))
    }

    /// The provider's message is not passed on: providers quote parts of the key in it.
    private func refused(_ target: Target) -> TargetFailure {
        TargetFailure(
            .refused,
            CallError(
                .failedPrecondition, reason: "upstream_auth",
                message: "The provider '\(target.provider)' refused the stored secret (\(status)): "
                    + "check it with bulkhead-credentials test \(target.destination)."))
    }

    private func rateLimited(_ target: Target) -> TargetFailure {
        TargetFailure(
            .transient, CallError(.resourceExhausted, reason: "rate_limited", message: told(target), retryAfter: retryAfter))
    }

    private func outOfQuota(_ target: Target) -> TargetFailure {
        TargetFailure(
            .refused,
            CallError(.resourceExhausted, reason: "insufficient_quota", message: told(target), retryAfter: retryAfter),
            outcome: .failure)
    }

    private var isQuota: Bool {
        ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"].contains { $0 == code || $0 == type }
    }

    private func told(_ target: Target) -> String {
        "The provider '\(target.provider)' answered \(status)" + (message.isEmpty ? "." : ": \(message)")
    }

    private static func cleaned(_ text: String) -> String {
        let visible = text.unicodeScalars.lazy.prefix(maxMessage + 1).map { scalar -> Unicode.Scalar in
            scalar.properties.generalCategory == .control ? " " : scalar
        }
        let line = String(String.UnicodeScalarView(visible))
        return line.unicodeScalars.count > maxMessage ? String(line.unicodeScalars.prefix(maxMessage)) + "…" : line
    }
}
