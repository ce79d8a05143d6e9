import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import NIOCore

/// A provider's error, read: the shapes of all dialects and what compatible servers and proxies make of them.
package struct ProviderError: Sendable, Equatable {
    /// HTTP status; for an error inside an answer the one it would have had.
    package var status: Int
    /// The provider's own words, cleaned and cut; empty when there were none.
    package var message: String
    /// The provider's own code, e.g. `model_not_found`, `RESOURCE_EXHAUSTED` or `ThrottlingException`; empty when there is none.
    package var code: String
    /// `error.type`; empty when there is none.
    package var type: String
    package var retryAfter: Duration?
    /// The error as it came, for the operator's log: cleaned, keys masked, at most `maxDetail` characters.
    package var detail: String

    /// Characters of a provider's message that are passed on, and of an error that are kept.
    package static let maxMessage = 500
    package static let maxDetail = 8 << 10

    /// - Parameter body: as much of the body as was read; anything but an error object counts as no body.
    package init(status: Int, headers: [CredentialsAPI.Header], body: ByteBuffer) {
        let shape = ErrorShape((try? JSON.parse(body)) ?? .null, headers)
        self.init(
            status: status, shape,
            detail: String(
                buffer: body.getSlice(at: body.readerIndex, length: min(body.readableBytes, 4 * Self.maxDetail)) ?? ByteBuffer()))
        retryAfter = RetryAfter.parse(headers) ?? shape.retryAfter
    }

    /// - Parameter json: the document with the member `error`, or one that is the error itself.
    package init(status: Int, json: JSON) {
        self.init(status: status, ErrorShape(json), detail: json.text())
    }

    /// An error event inside a stream that began well. - Parameter name: what the framing calls it.
    package init(inStream json: JSON, name: String = "") {
        var shape = ErrorShape(json)
        if shape.code.isEmpty { shape.code = name }
        self.init(status: shape.impliedStatus ?? 500, shape, detail: json.text())
        retryAfter = shape.retryAfter
    }

    /// A document that came with status 200 where an answer should be; nil when it is no error.
    package init?(insteadOfAnswer document: JSONView) {
        // Gemini's array of chunks, from which only the first tells.
        let json = document.elements.only ?? document
        guard Self.isError(json) else { return nil }
        self.init(inStream: json.json)
    }

    private static func isError(_ json: JSONView) -> Bool {
        if let error = json["error"], !error.isNull, error.bool != false { return true }
        switch (json["type"]?.spelling, json["object"]?.spelling) {
        case ("error", _), (_, "error"): return true
        default: return json["__type"]?.string?.hasSuffix("Exception") == true
        }
    }

    /// What a provider says of its own work in another way than by an error object.
    package init(status: Int, code: String, message: String) {
        self.init(status: status, ErrorShape(code: code, message: message), detail: "\(code): \(message)")
    }

    private init(status: Int, _ shape: ErrorShape, detail: String) {
        self.status = status
        message = ErrorText.line(shape.message, most: Self.maxMessage)
        code = ErrorText.line(shape.code, most: 64)
        type = ErrorText.line(shape.type, most: 64)
        self.detail = ErrorText.masked(ErrorText.line(detail, most: Self.maxDetail))
    }
}

extension ProviderError {
    /// What the error means for the execution and for the caller.
    package func failure(_ target: Target) -> TargetFailure {
        var failure = failure(ErrorClass(self), target)
        failure.fullText = detail
        failure.providerCode = code
        failure.status = status
        return failure
    }

    private func failure(_ kind: ErrorClass, _ target: Target) -> TargetFailure {
        let name = "The provider '\(target.provider)'"
        switch kind {
        case .tooLong:
            return mistake(.invalidArgument, "context_length_exceeded", "\(name) finds the request too long.", .tooLong)
        case .policy: return mistake(.invalidArgument, "content_policy_violation", "\(name) refused the content of the request.")
        case .tooLarge:
            return mistake(.resourceExhausted, "payload_too_large", "The request is too large for \(name.lowercasedFirst).")
        case .unprocessable: return mistake(.invalidArgument, "unprocessable", "\(name) cannot process the request.")
        case .invalid: return mistake(.invalidArgument, "invalid_request", "\(name) refused the request as invalid.")
        case .notFound, .unknownModel:
            return mistake(.notFound, "upstream_not_found", "\(name) knows no model '\(target.model)'.")
        case .secret: return refused(target, .badCredential)
        case .forbidden: return refused(target, .refused)
        case .quota:
            return TargetFailure(.outOfQuota, told(.resourceExhausted, "insufficient_quota", target), outcome: .failure)
        case .rate: return TargetFailure(.transient, told(.resourceExhausted, "rate_limited", target))
        case .timeout: return TargetFailure(.transient, told(.deadlineExceeded, "upstream_timeout", target))
        case .trouble: return TargetFailure(.transient, told(.unavailable, "upstream_error", target))
        case .noError: return .broken(target, "answered \(status), which is neither an answer nor an error")
        }
    }

    private func mistake(
        _ status: StatusCode, _ reason: String, _ unsaid: String, _ kind: TargetFailure.Kind = .callersMistake
    ) -> TargetFailure {
        TargetFailure(
            kind,
            CallError(status, reason: reason, message: message.isEmpty ? unsaid : ErrorText.masked(message)))
    }

    /// The provider's message is not passed on: providers quote parts of the key in it.
    private func refused(_ target: Target, _ kind: TargetFailure.Kind) -> TargetFailure {
        TargetFailure(
            kind,
            CallError(
                .failedPrecondition, reason: "upstream_auth",
                message: "The provider '\(target.provider)' refused the stored secret (\(status)): "
                    + "check it with bulkhead-credentials test \(target.destination)."))
    }

    private func told(_ code: StatusCode, _ reason: String, _ target: Target) -> CallError {
        let words = message.isEmpty ? "." : ": \(ErrorText.masked(message))"
        return CallError(
            code, reason: reason, message: "The provider '\(target.provider)' answered \(status)\(words)", retryAfter: retryAfter)
    }
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
