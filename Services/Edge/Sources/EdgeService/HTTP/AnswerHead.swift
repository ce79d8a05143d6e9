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
        /// There is no body, and no word on its length.
        case none
    }

    /// More than the parts of a head that are the same for all: names, framing, date and what follows it.
    private static let commonBytes = 640

    let status: Int
    /// The status text; nil: the usual one.
    var reason: String?
    /// Passed on from elsewhere: its own date and its word on caching stay.
    var isRelayed = false
    let scope: RequestScope
    var contentType: String?
    var fields = HTTPFields()
    let framing: Framing
    let closes: Bool

    /// Appends the head to `buffer`, in one piece: a head has fifty parts, and each write of its own would cost more than its bytes.
    func write(to buffer: inout ByteBuffer) {
        let (date, contentType) = (WallClock.httpDate(), contentType.map(Self.legal) ?? "")
        let usual = status == 200 ? "OK" : HTTPResponseStatus(statusCode: status).reasonPhrase
        let reason = reason.flatMap { HTTPField.isValidValue($0) ? $0 : nil } ?? usual
        var most = Self.commonBytes + 2 * scope.id.utf8.count + scope.traceID.utf8.count + date.utf8.count
        most += contentType.utf8.count + reason.utf8.count
        for field in fields { most += field.name.rawName.utf8.count + field.value.utf8.count + 4 }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { space in
            var text = HeadText(space)
            write(to: &text, reason, date, contentType)
            return text.count
        }
    }

    private func write(to text: inout HeadText, _ reason: String, _ date: String, _ contentType: String) {
        text.add(literal: "HTTP/1.1 ")
        text.add(String(status))
        text.add(literal: " ")
        text.add(reason)
        text.add(literal: "\r\nx-request-id: ")
        text.add(scope.id)
        text.add(literal: "\r\nrequest-id: ")
        text.add(scope.id)
        text.add(literal: "\r\nx-bulkhead-trace-id: ")
        text.add(scope.traceID)
        if !isRelayed || !fields.contains(.date) { text.add("date", date) }
        if !isRelayed || !fields.contains(.cacheControl) { text.add(literal: "\r\ncache-control: no-store") }
        text.add(literal: "\r\nx-content-type-options: nosniff\r\nx-frame-options: DENY\r\nreferrer-policy: no-referrer")
        for field in fields { text.add(field.name.rawName, field.value) }
        if !contentType.isEmpty { text.add("content-type", contentType) }
        switch framing {
        case .length(let count): text.add("content-length", String(count))
        case .chunked: text.add(literal: "\r\ntransfer-encoding: chunked")
        case .untilClose, .none: break
        }
        if closes { text.add(literal: "\r\nconnection: close") }
        text.add(literal: "\r\n\r\n")
    }

    /// Values of `HTTPFields` cannot break a head; this one comes as a plain text.
    private static func legal(_ value: String) -> String {
        HTTPField.isValidValue(value) ? value : "application/octet-stream"
    }
}

/// Text on its way into memory that has room for all of it.
private struct HeadText {
    private let space: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    mutating func add(literal text: StaticString) {
        add(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add($0) }
    }

    /// A field.
    mutating func add(_ name: String, _ value: String) {
        add(literal: "\r\n")
        add(name)
        add(literal: ": ")
        add(value)
    }

    private mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        precondition(bytes.count <= space.count - count, "bug: a head is longer than it was measured")
        guard let source = bytes.baseAddress, let start = space.baseAddress else { return }
        (start + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }
}
