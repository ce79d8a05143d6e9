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
                error.field("message", param.map { "\($0): \(message)" } ?? message)
            }
            writer.field("request_id", requestID)
        }
    }

    private func writeProblem(_ requestID: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", "about:blank")
            writer.field("title", kind.openAI)
            writer.field("status", status)
            writer.field("detail", message)
            writer.field("code", code)
            writer.field("request_id", requestID)
        }
    }

    /// `retry-after` in seconds, `retry-after-ms`: on 429 and 503 always, else when it is known.
    package var retryHint: (seconds: Int, milliseconds: Int)? {
        guard status == 429 || status == 503 || retryAfter != nil else { return nil }
        let milliseconds = max(1, Int((retryAfter ?? .seconds(1)).milliseconds.rounded(.up)))
        return (max(1, (milliseconds + 999) / 1000), milliseconds)
    }

    private var fields: HTTPFields {
        var fields = HTTPFields()
        if let allow { fields[.allow] = allow }
        if kind == .unauthenticated { fields[.wwwAuthenticate] = "Bearer" }
        if let upstream {
            fields[.bulkheadAttempts] = String(upstream.attempts)
            if let provider = upstream.provider { fields[.bulkheadProvider] = provider }
            if let model = upstream.model { fields[.bulkheadModel] = model }
        }
        guard let hint = retryHint else {
            // The SDKs repeat every 5xx by themselves unless told not to.
            if status >= 500, !shouldRetry { fields[.shouldRetry] = "false" }
            return fields
        }
        fields[.retryAfter] = String(hint.seconds)
        fields[.retryAfterMilliseconds] = String(hint.milliseconds)
        fields[.shouldRetry] = shouldRetry ? "true" : "false"
        return fields
    }
}
