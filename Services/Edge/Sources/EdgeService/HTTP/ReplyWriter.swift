import HTTPTypes
import NIOCore

/// An answer that is known as a whole.
struct WholeReply: Sendable {
    var status: Int
    var contentType = "application/json"
    var fields = HTTPFields()
    var body: ByteBuffer
}

/// Writes the one answer of an exchange, whole or as a stream. Confined to the task of its connection.
final class ReplyWriter {
    /// Bodies up to this size are copied behind their head, larger ones leave beside it.
    private static let copiedBytes = 16 << 10

    private let connection: EdgeConnection
    private let scope: RequestScope
    private let isHead: Bool
    private let takesChunks: Bool
    private var isOpen = false
    /// The status that went out; nil before.
    private(set) var status: Int?

    init(_ connection: EdgeConnection, _ scope: RequestScope, _ request: ClientRequest) {
        self.connection = connection
        self.scope = scope
        isHead = request.method == .HEAD
        takesChunks = request.takesChunks
    }

    /// Tells a client that waits for it to go on and send its body.
    func proceed() async throws {
        guard status == nil else { return }
        try await connection.write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    /// Sends the whole answer. To HEAD only its head.
    func send(_ reply: WholeReply) async throws {
        guard status == nil else { preconditionFailure("bug: a second answer to one request") }
        status = reply.status
        var bytes = ByteBuffer()
        let length = reply.body.readableBytes
        bytes.reserveCapacity(length <= Self.copiedBytes ? length + 1024 : 1024)
        head(reply.status, reply.contentType, reply.fields, .length(length)).write(to: &bytes)
        if isHead || length == 0 { return try await connection.write(bytes) }
        if length > Self.copiedBytes { return try await connection.write(bytes, reply.body) }
        bytes.writeImmutableBuffer(reply.body)
        try await connection.write(bytes)
    }

    /// Sends the head of a stream, and its first piece with it.
    func begin(_ status: Int, contentType: String, fields: HTTPFields, first: ByteBuffer = ByteBuffer()) async throws {
        guard self.status == nil else { preconditionFailure("bug: a second answer to one request") }
        self.status = status
        isOpen = true
        var bytes = ByteBuffer()
        head(status, contentType, fields, takesChunks ? .chunked : .untilClose).write(to: &bytes)
        append(first, to: &bytes)
        try await connection.write(bytes)
    }

    /// Sends a piece of the stream at once.
    func write(_ piece: ByteBuffer) async throws {
        guard isOpen, piece.readableBytes > 0 else { return }
        var bytes = ByteBuffer()
        append(piece, to: &bytes)
        try await connection.write(bytes)
    }

    /// Ends the stream, with a last piece.
    func finish(_ last: ByteBuffer = ByteBuffer()) async throws {
        guard isOpen else { return }
        isOpen = false
        var bytes = ByteBuffer()
        append(last, to: &bytes)
        if takesChunks { bytes.writeStaticString("0\r\n\r\n") }
        if bytes.readableBytes > 0 { try await connection.write(bytes) }
    }

    /// A piece as it goes over the wire.
    static func framed(_ piece: ByteBuffer, chunked: Bool = true) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(piece.readableBytes + 16)
        if chunked { bytes.writeString(String(piece.readableBytes, radix: 16) + "\r\n") }
        bytes.writeImmutableBuffer(piece)
        if chunked { bytes.writeStaticString("\r\n") }
        return bytes
    }

    /// From now on sends `sign` whenever the stream was silent for `interval`.
    func beginKeepAlive(_ sign: ByteBuffer, every interval: TimeAmount) {
        connection.beginKeepAlive(Self.framed(sign, chunked: takesChunks), every: interval)
    }

    private func append(_ piece: ByteBuffer, to bytes: inout ByteBuffer) {
        // A chunk of length zero would be the end.
        guard piece.readableBytes > 0 else { return }
        if bytes.readableBytes == 0 {
            bytes = Self.framed(piece, chunked: takesChunks)
        } else {
            bytes.writeImmutableBuffer(Self.framed(piece, chunked: takesChunks))
        }
    }

    private func head(_ status: Int, _ contentType: String, _ fields: HTTPFields, _ framing: AnswerHead.Framing) -> AnswerHead {
        var closes = connection.isLast
        if case .untilClose = framing {
            connection.makeLast()
            closes = true
        }
        return AnswerHead(
            status: status, scope: scope, contentType: contentType, fields: fields, framing: framing, closes: closes)
    }
}
