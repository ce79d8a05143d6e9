import HTTPTypes
import HummingbirdCore
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
    private var unused: ResponseWriter?
    private var body: (any ResponseBodyWriter)?
    private let isHead: Bool
    private let always: HTTPFields
    /// The status that went out; nil before.
    private(set) var status: Int?

    /// - Parameters:
    ///   - always: fields every answer of this exchange has.
    ///   - isHead: the request is HEAD: bodies are counted, not sent.
    init(_ writer: consuming ResponseWriter, always: HTTPFields, isHead: Bool) {
        unused = consume writer
        self.always = always
        self.isHead = isHead
    }

    /// Tells a client that waits for it to go on and send its body.
    func proceed() async throws {
        guard let writer = unused.take() else { return }
        try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        unused = consume writer
    }

    /// Sends the whole answer.
    func send(_ reply: WholeReply) async throws {
        guard let writer = unused.take() else { preconditionFailure("bug: a second answer to one request") }
        status = reply.status
        var head = self.head(reply.status, reply.contentType, reply.fields)
        head.headerFields[.contentLength] = String(reply.body.readableBytes)
        if isHead || reply.body.readableBytes == 0 { return try await writer.writeResponse(head) }
        try await writer.write(response: head, body: ResponseBody(byteBuffer: reply.body))
    }

    /// Sends the head of a stream.
    func begin(_ status: Int, contentType: String, fields: HTTPFields) async throws {
        guard let writer = unused.take() else { preconditionFailure("bug: a second answer to one request") }
        self.status = status
        body = try await writer.writeHead(head(status, contentType, fields))
    }

    /// Sends a piece of the stream at once.
    func write(_ bytes: ByteBuffer) async throws {
        nonisolated(unsafe) var body = body
        try await body?.write(bytes)
    }

    /// Ends the stream.
    func finish() async throws {
        guard let last = body.take() else { return }
        nonisolated(unsafe) let body = last
        try await body.finish(nil)
    }

    private func head(_ status: Int, _ contentType: String, _ fields: HTTPFields) -> HTTPResponse {
        var all = always
        all.append(contentsOf: fields)
        all[.contentType] = contentType
        return HTTPResponse(status: HTTPResponse.Status(code: status), headerFields: all)
    }
}

// It holds one reference to NIO's outbound writer, which is Sendable; Hummingbird does not say so.
extension ResponseWriter: @retroactive @unchecked Sendable {}
