import BulkheadCore
import BulkheadJSON
import HTTPTypes
import NIOCore

/// The shape of error bodies.
package enum ErrorShape: String, Sendable {
    /// `{"error": {message, type, param, code}}`.
    case openAI = "openai"
    /// `{"type": "error", "error": {type, message}, "request_id"}`.
    case anthropic
    /// RFC 9457.
    case problem
}

extension EdgeError {
    /// The whole answer.
    func reply(_ shape: ErrorShape, requestID: String) -> WholeReply {
        WholeReply(
            status: status, contentType: shape == .problem ? "application/problem+json" : "application/json", fields: fields,
            body: body(shape, requestID: requestID))
    }

    /// The body alone; on a stream, the data of the error event.
    package func body(_ shape: ErrorShape, requestID: String) -> ByteBuffer {
        var writer = JSONWriter()
        write(shape, requestID: requestID, to: &writer)
        return writer.buffer
    }

    func write(_ shape: ErrorShape, requestID: String, to writer: inout JSONWriter) {
        switch shape {
        case .openAI: writeOpenAI(to: &writer)
        case .anthropic: writeAnthropic(requestID, to: &writer)
        case .problem: writeProblem(requestID, to: &writer)
        }
    }

    private func writeOpenAI(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.object("error") { error in
                error.field("message", message)
                error.field("type", kind.openAI)
                if let param { error.field("param", param) } else { error.nullField("param") }
                error.field("code", code)
            }
        }
    }

    private func writeAnthropic(_ requestID: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", "error")
            writer.object("error") { error in
                error.field("type", kind.anthropic)
                error.field("message", placedMessage)
            }
            writer.field("request_id", requestID)
        }
    }

    /// Where a dialect has no member for the place, the message says it, once.
    private var placedMessage: String {
        guard let param, !" \(message) ".contains(" \(param) ") else { return message }
        return "\(param): \(message)"
    }

    private func writeProblem(_ requestID: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", documentation ?? problemType)
            writer.field("title", kind.openAI)
            writer.field("status", status)
            writer.field("detail", message)
            writer.field("code", code)
            writer.field("request_id", requestID)
            guard !violated.isEmpty else { return }
            writer.array("violated-policies") { list in for name in violated { list.value(name) } }
        }
    }

    /// IANA's registry of problem types, where draft-ietf-httpapi-ratelimit-headers-10 puts its own.
    private static let problemTypes = "https://iana.org/assignments/http-problem-types#"

    private var problemType: String {
        switch kind {
        case .rateLimited where code == "runaway": Self.problemTypes + "abnormal-usage-detected"
        case .rateLimited, .quotaExceeded: Self.problemTypes + "quota-exceeded"
        case .overloaded: Self.problemTypes + "temporary-reduced-capacity"
        default: "about:blank"
        }
    }

    /// The longest wait an outage is told with, in milliseconds: it may be over at any moment.
    private static let longestOutage = 60_000
    /// The longest wait that is told at all: a year.
    private static let longestWait = 31_536_000_000
    /// Longer waits are not to be sat out: some clients ignore them and come back at once.
    private static let longestPatience = Duration.seconds(60)

    /// `retry-after` in seconds, `retry-after-ms`: on 429 and 503 always, else when it is known.
    package var retryHint: (seconds: Int, milliseconds: Int)? {
        guard status == 429 || status == 503 || retryAfter != nil else { return nil }
        let told = (retryAfter ?? .seconds(1)).milliseconds.rounded(.up)
        let milliseconds = Int(min(max(1, told), Double(status == 503 ? Self.longestOutage : Self.longestWait)))
        return ((milliseconds + 999) / 1000, milliseconds)
    }

    /// `x-should-retry`, where clients would retry by themselves; nil where they would not.
    package var retryAdvice: Bool? {
        guard [408, 409, 429].contains(status) || status >= 500 || retryAfter != nil else { return nil }
        return shouldRetry && (retryAfter ?? .zero) <= Self.longestPatience
    }

    /// RFC 6750 §3.1 has one word for tokens; API keys are not its subject.
    private var challenge: String { code == "invalid_token" ? "Bearer error=\"invalid_token\"" : "Bearer" }

    /// Codings of a request's body that are undone, as `Accept-Encoding` lists them (RFC 9110 §12.5.3).
    static let acceptedCodings = "gzip, deflate"

    private var fields: HTTPFields {
        var fields = HTTPFields()
        if let allow { fields[.allow] = allow }
        // RFC 9110 §15.5.16: which codings would have been understood.
        if kind == .unsupportedMedia { fields[.acceptEncoding] = Self.acceptedCodings }
        if let documentation { fields[.link] = "<\(documentation)>; rel=\"describedby\"" }
        if !originalRequestID.isEmpty { fields[.originalRequestID] = originalRequestID }
        if kind == .unauthenticated { fields[.wwwAuthenticate] = challenge }
        if let upstream {
            fields[.bulkheadAttempts] = String(upstream.attempts)
            if let provider = upstream.provider { fields[.bulkheadProvider] = provider }
            if let model = upstream.model { fields[.bulkheadModel] = model }
        }
        if !violated.isEmpty { fields[.violatedPolicies] = violated.joined(separator: ",") }
        if let advice = retryAdvice { fields[.shouldRetry] = advice ? "true" : "false" }
        guard let hint = retryHint else { return fields }
        fields[.retryAfter] = String(hint.seconds)
        fields[.retryAfterMilliseconds] = String(hint.milliseconds)
        return fields
    }
}
