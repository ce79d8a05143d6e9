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
        if first.readableBytes > 0 {
            var first = first
            if takesChunks { Self.frame(&first) }
            bytes.writeImmutableBuffer(first)
        }
        try await connection.write(bytes)
    }

    /// Sends a piece of the stream at once.
    func write(_ piece: consuming ByteBuffer) async throws {
        guard isOpen, piece.readableBytes > 0 else { return }
        if takesChunks { Self.frame(&piece) }
        try await connection.write(piece)
    }

    /// Ends the stream, with a last piece.
    func finish(_ last: consuming ByteBuffer = ByteBuffer()) async throws {
        guard isOpen else { return }
        isOpen = false
        if takesChunks {
            // A chunk of length zero would be the end.
            if last.readableBytes > 0 { Self.frame(&last) }
            last.writeStaticString("0\r\n\r\n")
        }
        if last.readableBytes > 0 { try await connection.write(last) }
    }

    /// Room before a piece for its length as a chunk.
    private static let margin = 18
    /// About the size of a token's event.
    private static let usualPiece = 512

    /// An empty buffer for a piece, which can be framed where it stands.
    static func emptyPiece() -> ByteBuffer {
        var piece = ByteBufferAllocator().buffer(capacity: usualPiece)
        piece.moveWriterIndex(forwardBy: margin)
        piece.moveReaderIndex(forwardBy: margin)
        return piece
    }

    /// Makes a piece a chunk (RFC 9112 §7.1).
    static func frame(_ piece: inout ByteBuffer) {
        let length = piece.readableBytes
        if piece.readerIndex < margin {
            var moved = ByteBufferAllocator().buffer(capacity: margin + length + 2)
            moved.moveWriterIndex(forwardBy: margin)
            moved.moveReaderIndex(forwardBy: margin)
            moved.writeImmutableBuffer(piece)
            piece = moved
        }
        var (rest, place) = (length, piece.readerIndex - 2)
        _ = piece.setStaticString("\r\n", at: place)
        repeat {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            place -= 1
            piece.setInteger(digit < 10 ? 48 + digit : 87 + digit, at: place)
            rest >>= 4
        } while rest > 0
        piece.moveReaderIndex(to: place)
        piece.writeStaticString("\r\n")
    }

    /// From now on sends `sign` whenever the stream was silent for `interval`.
    func beginKeepAlive(_ sign: ByteBuffer, every interval: TimeAmount) {
        var sign = sign
        if takesChunks { Self.frame(&sign) }
        connection.beginKeepAlive(sign, every: interval)
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
