import BulkheadCore
import HTTPTypes
import NIOCore

/// Reads the body of one request within a limit. Confined to the task of its connection.
final class BodyReader {
    /// Bytes and time spent on a body nobody wants, so that its sender gets to read the answer; then the connection is closed.
    private static let swallowedBytes = 64 << 20
    private static let swallowedTime = Duration.seconds(5)

    private let headers: RequestHeaders
    private let connection: EdgeConnection

    init(_ request: ClientRequest, _ connection: EdgeConnection) {
        headers = request.headers
        self.connection = connection
    }

    /// The whole body as it arrives, at most `limit` bytes.
    /// - Throws: `EdgeError` 413, by the announced length before a byte is read, else as soon as the limit is passed.
    func read(limit: Int, _ reply: ReplyWriter) async throws -> ByteBuffer {
        if let announced, announced > limit { throw Self.tooLarge(limit, "edge.max_json") }
        try await invite(reply)
        var whole = ByteBuffer()
        while var part = try await connection.nextPiece() {
            guard whole.readableBytes + part.readableBytes <= limit else { throw Self.tooLarge(limit, "edge.max_json") }
            if whole.readableBytes == 0 { whole = part } else { whole.writeBuffer(&part) }
        }
        return whole
    }

    /// The same with its content coding undone; `limit` holds for what arrives and for what that makes.
    /// - Throws: `EdgeError` 413, 400 when it is not in its coding, 415 when that is not understood here, before a byte is read.
    func readDecoded(limit: Int, _ reply: ReplyWriter) async throws -> ByteBuffer {
        guard var coding = try BodyCoding(headers, limit: limit) else { return try await read(limit: limit, reply) }
        if let announced, announced > limit { throw Self.tooLarge(limit, "edge.max_json") }
        try await invite(reply)
        var whole = ByteBuffer()
        var arrived = 0
        while let piece = try await connection.nextPiece() {
            arrived += piece.readableBytes
            guard arrived <= limit else { throw Self.tooLarge(limit, "edge.max_json") }
            try await coding.undo(piece, into: &whole)
        }
        try coding.finish()
        return whole
    }

    /// The length the client announces; nil when it sends chunks, or no body.
    var announced: Int? { headers[.contentLength].flatMap { Int($0) } }

    /// The body comes in chunks, of a number nobody knows.
    var isChunked: Bool { headers[.transferEncoding] != nil }

    /// Tells a client that waits for it to go on and send its body.
    func invite(_ reply: ReplyWriter) async throws {
        if headers[.expect]?.lowercased() == "100-continue" { try await reply.proceed() }
    }

    /// Hands the body on piece by piece as it comes, at most `limit` bytes; the next is read when `take` has the one before.
    /// - Throws: `EdgeError` 413, by the announced length before a byte is read; what `take` throws.
    func pass(limit: Int, _ reply: ReplyWriter, to take: (ByteBuffer) async throws -> Void) async throws {
        if let announced, announced > limit { throw Self.tooLarge(limit, "edge.max_upload") }
        try await invite(reply)
        var passed = 0
        while let part = try await connection.nextPiece() {
            passed += part.readableBytes
            guard passed <= limit else { throw Self.tooLarge(limit, "edge.max_upload") }
            try await take(part)
        }
    }

    /// Swallows what is left of the body after an answer.
    /// - Throws: `BodyNotRead` when that is too much: the connection is to be closed, so that the rest is never read.
    func discard() async throws {
        let until = MonotonicTime.now() + Self.swallowedTime
        var count = 0
        while let part = try await connection.nextPiece() {
            count += part.readableBytes
            if count > Self.swallowedBytes || .now() > until { throw BodyNotRead() }
        }
    }

    static func tooLarge(_ limit: Int, _ key: String) -> EdgeError {
        EdgeError(
            .tooLarge, code: "payload_too_large",
            message: "The request body is larger than \(limit) bytes, the limit of this server (\(key)). Send less.")
    }
}

/// The client was answered before its body was read, and the body is too large to swallow.
struct BodyNotRead: Error {}
