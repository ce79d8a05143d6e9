import BulkheadCore
import NIOCore

/// A request as HTTP/1.1 writes it (RFC 9112). Secrets go from their own memory into these bytes, and nowhere else.
enum RequestBytes {
    /// Bodies up to this length leave in one piece with their head.
    private static let joined = 4 << 10

    /// - Returns: the head, with a short body; and the body when it is longer.
    /// - Throws: INVALID_ARGUMENT when something in the head would break it.
    static func make(_ order: OutboundOrder) throws(CallError) -> (head: ByteBuffer, body: ByteBuffer?) {
        let request = order.request
        var body: ByteBuffer?
        if case .whole(let bytes) = request.body { body = bytes }
        let isJoined = body.map { $0.readableBytes <= joined } ?? false
        // Made in its full size: a buffer that grows leaves copies behind.
        var head = ByteBufferAllocator().buffer(
            capacity: size(request, order.origin) + (isJoined ? body?.readableBytes ?? 0 : 0))
        head.writeString(request.method)
        head.writeStaticString(" ")
        let target = head.writerIndex
        request.target.write(into: &head)
        // What a path or query holds was checked; a secret in it is encoded. A blank or a line end would end the line early.
        guard isPlain(head, from: target, least: 33) else { throw broken }
        head.writeStaticString(" HTTP/1.1\r\nhost: ")
        head.writeString(order.origin.authority)
        head.writeStaticString("\r\n")
        for header in request.headers {
            head.writeString(header.name)
            head.writeStaticString(": ")
            let value = head.writerIndex
            header.value.write(into: &head)
            guard isPlain(head, from: value, least: 32) else { throw broken }
            head.writeStaticString("\r\n")
        }
        if order.isRepeat { head.writeStaticString("connection: close\r\n") }
        frame(request, into: &head)
        head.writeStaticString("\r\n")
        guard isJoined, var short = body else { return (head, body) }
        head.writeBuffer(&short)
        return (head, nil)
    }

    private static func frame(_ request: OutboundRequest, into head: inout ByteBuffer) {
        let length: Int?
        switch request.body {
        case .none: length = ["POST", "PUT", "PATCH"].contains(request.method) ? 0 : nil
        case .whole(let bytes): length = bytes.readableBytes
        case .streamed(let body):
            length = body.length
            if length == nil { head.writeStaticString("transfer-encoding: chunked\r\n") }
        }
        guard let length else { return }
        head.writeStaticString("content-length: ")
        head.writeString(String(length))
        head.writeStaticString("\r\n")
    }

    private static func size(_ request: OutboundRequest, _ origin: Origin) -> Int {
        let headers = request.headers.reduce(0) { $0 + $1.name.utf8.count + 4 + $1.value.count }
        return request.method.utf8.count + request.target.count + origin.authority.utf8.count + headers + 128
    }

    /// Bytes of at least `least`, tabs and all above ASCII; no DEL.
    private static func isPlain(_ buffer: ByteBuffer, from start: Int, least: UInt8) -> Bool {
        buffer.withUnsafeReadableBytes { bytes in
            bytes[(start - buffer.readerIndex)...].allSatisfy { $0 >= least && $0 != 127 || $0 == 9 && least == 32 }
        }
    }

    private static let broken = CallError(
        .invalidArgument, reason: "invalid_request",
        message: "the request's head would hold a line end or another character that is not allowed there", notProcessed: true)
}

extension SecretText {
    /// Bytes it takes on the wire.
    var count: Int {
        pieces.reduce(0) { sum, piece in
            switch piece {
            case .text(let text): sum + text.utf8.count
            case .secret(let secret): sum + secret.count
            }
        }
    }
}
