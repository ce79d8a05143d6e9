import NIOCore
import NIOHTTP1

/// Stands before the HTTP decoder, which keeps no status text: remembers the one that came, and is the way out for bytes that
/// are already HTTP.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class StatusLine: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Longer ones are no status text.
    private static let maxLine = 512

    private var context: ChannelHandlerContext?
    private var isExpected = false
    private var text: String?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// An answer is to come.
    func expect() {
        isExpected = true
        text = nil
    }

    /// The text beside the status; the usual one when it came in pieces.
    func reason(of status: HTTPResponseStatus) -> String { text ?? status.reasonPhrase }

    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(wrapOutboundOut(bytes), promise: promise)
    }

    func flush() { context?.flush() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isExpected {
            isExpected = false
            look(unwrapInboundIn(data))
        }
        context.fireChannelRead(data)
    }

    private static let usual = Array("HTTP/1.1 200 OK\r\n".utf8)

    private func look(_ bytes: ByteBuffer) {
        text = bytes.withUnsafeReadableBytes { bytes in
            bytes.starts(with: Self.usual) ? "OK" : Self.text(bytes[...])
        }
    }

    /// Of the first line that is not of an interim answer (1xx).
    private static func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        var rest = bytes
        for _ in 0 ..< 8 {
            guard let end = rest.prefix(maxLine).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            let words = rest[..<end].split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count >= 2 else { return nil }
            if words[1].first != UInt8(ascii: "1") {
                guard words.count == 3 else { return "" }
                return String(decoding: words[2].filter { $0 != 13 }, as: UTF8.self)
            }
            guard let blank = blankLine(rest[end...]) else { return nil }
            rest = rest[blank...]
        }
        return nil
    }

    /// The place after the first empty line.
    private static func blankLine(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        var last = bytes.startIndex
        for index in bytes.indices.dropFirst() where bytes[index] == 10 {
            if bytes[last + 1 ..< index].allSatisfy({ $0 == 13 }) { return index + 1 }
            last = index
        }
        return nil
    }
}
