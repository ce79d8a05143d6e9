import HTTPTypes
import NIOCore

/// An answer that is known as a whole.
struct WholeReply: Sendable {
    var status: Int
    var contentType = "application/json"
    var fields = HTTPFields()
    var body: ByteBuffer
}

/// The head of an answer that is passed on from elsewhere.
struct RelayedHead {
    var status: Int
    /// The status text; nil: the usual one.
    var reason: String?
    /// Without those of one connection, and without `content-length`.
    var fields: HTTPFields
    /// Bytes of the body, or those it would have (HEAD, 304); nil when nobody knows.
    var length: Int?

    /// RFC 9110 §6.4.1; to HEAD there is none either.
    var hasBody: Bool { status >= 200 && status != 204 && status != 304 }
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
    /// The stream that is open is sent in chunks.
    private var isChunked = false
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
        try await begin(head(status, contentType, fields, takesChunks ? .chunked : .untilClose), first)
    }

    /// Sends the head of an answer that is passed on, and the first piece of its body with it. To HEAD, and where the status has
    /// no body, only the head.
    func begin(_ answer: RelayedHead, first: ByteBuffer = ByteBuffer()) async throws {
        var head = head(answer.status, nil, answer.fields, framing(of: answer))
        head.reason = answer.reason
        head.isRelayed = true
        if isHead || !answer.hasBody {
            guard status == nil else { preconditionFailure("bug: a second answer to one request") }
            status = answer.status
            var bytes = ByteBuffer()
            head.write(to: &bytes)
            return try await connection.write(bytes)
        }
        try await begin(head, first)
    }

    private func framing(of answer: RelayedHead) -> AnswerHead.Framing {
        if let length = answer.length { return .length(length) }
        if isHead || !answer.hasBody { return .none }
        return takesChunks ? .chunked : .untilClose
    }

    private func begin(_ head: AnswerHead, _ first: ByteBuffer) async throws {
        guard status == nil else { preconditionFailure("bug: a second answer to one request") }
        status = head.status
        isOpen = true
        if case .chunked = head.framing { isChunked = true }
        var bytes = ByteBuffer()
        head.write(to: &bytes)
        guard first.readableBytes > 0 else { return try await connection.write(bytes) }
        var first = first
        if isChunked { Self.frame(&first) }
        if first.readableBytes > Self.copiedBytes { return try await connection.write(bytes, first) }
        bytes.writeImmutableBuffer(first)
        try await connection.write(bytes)
    }

    /// Sends a piece of the stream at once.
    func write(_ piece: consuming ByteBuffer) async throws {
        guard isOpen, piece.readableBytes > 0 else { return }
        if isChunked { Self.frame(&piece) }
        try await connection.write(piece)
    }

    /// Ends the stream, with a last piece and, where it is sent in chunks, with fields behind it.
    func finish(_ last: consuming ByteBuffer = ByteBuffer(), trailers: HTTPFields = HTTPFields()) async throws {
        guard isOpen else { return }
        isOpen = false
        if isChunked {
            // A chunk of length zero would be the end.
            if last.readableBytes > 0 { Self.frame(&last) }
            last.writeStaticString("0\r\n")
            for field in trailers { last.writeString("\(field.name.rawName): \(field.value)\r\n") }
            last.writeStaticString("\r\n")
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
        if isChunked { Self.frame(&sign) }
        connection.beginKeepAlive(sign, every: interval)
    }

    private func head(_ status: Int, _ contentType: String?, _ fields: HTTPFields, _ framing: AnswerHead.Framing) -> AnswerHead {
        var closes = connection.isLast
        if case .untilClose = framing {
            connection.makeLast()
            closes = true
        }
        return AnswerHead(
            status: status, scope: scope, contentType: contentType, fields: fields, framing: framing, closes: closes)
    }
}
