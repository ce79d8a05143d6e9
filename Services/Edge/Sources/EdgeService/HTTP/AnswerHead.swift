import HTTPTypes
import NIOCore
import NIOHTTP1

/// The head of an answer, written as bytes: a status line, the fields every answer has, those of this one.
struct AnswerHead {
    /// How the client finds the end of the body.
    enum Framing {
        case length(Int)
        case chunked
        /// The connection ends with the body.
        case untilClose
    }

    /// About the size of a head.
    private static let usualBytes = 768

    let status: Int
    let scope: RequestScope
    var contentType: String?
    var fields = HTTPFields()
    let framing: Framing
    let closes: Bool

    /// Appends the head to `buffer`.
    func write(to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: Self.usualBytes)
        if status == 200 {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\nx-request-id: ")
        } else {
            buffer.writeString("HTTP/1.1 \(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\nx-request-id: ")
        }
        buffer.writeString(scope.id)
        buffer.writeStaticString("\r\nrequest-id: ")
        buffer.writeString(scope.id)
        buffer.writeStaticString("\r\nx-bulkhead-trace-id: ")
        buffer.writeString(scope.traceID)
        buffer.writeStaticString("\r\ndate: ")
        buffer.writeString(WallClock.httpDate())
        buffer.writeStaticString(
            "\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nx-frame-options: DENY\r\nreferrer-policy: no-referrer"
        )
        for field in fields { Self.write(field.name.rawName, field.value, to: &buffer) }
        if let contentType { Self.write("content-type", Self.legal(contentType), to: &buffer) }
        writeFraming(to: &buffer)
    }

    private func writeFraming(to buffer: inout ByteBuffer) {
        switch framing {
        case .length(let count): Self.write("content-length", String(count), to: &buffer)
        case .chunked: buffer.writeStaticString("\r\ntransfer-encoding: chunked")
        case .untilClose: break
        }
        if closes { buffer.writeStaticString("\r\nconnection: close") }
        buffer.writeStaticString("\r\n\r\n")
    }

    private static func write(_ name: String, _ value: String, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\n")
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        buffer.writeString(value)
    }

    /// Values of `HTTPFields` cannot break a head; this one comes as a plain text.
    private static func legal(_ value: String) -> String {
        HTTPField.isValidValue(value) ? value : "application/octet-stream"
    }
}
