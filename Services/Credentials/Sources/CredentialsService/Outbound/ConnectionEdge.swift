import NIOCore

/// First in the pipeline, next to the socket: counts what goes out, and looks at the socket before it is closed.
///
/// The end of the other side's stream closes the connection, as it would without this handler; it is told as an event, because
/// nothing could be asked of the socket afterwards.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class ConnectionEdge: ChannelDuplexHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let socket: TCPSocket
    /// Bytes given to the socket so far, TLS and a proxy's included.
    private var written: UInt64
    /// Set while a request on a kept connection has no answer yet: the bytes given to the socket before it.
    private var writtenBefore: UInt64?
    /// Whether the connection ended before the other side had acknowledged a single byte of the request.
    private(set) var isUntouched = false

    init(_ channel: any Channel) {
        socket = TCPSocket(channel)
        written = socket.counts?.sent ?? 0
    }

    /// A request follows, on a connection that served one before.
    func watch() {
        writtenBefore = written
        isUntouched = false
    }

    /// Nothing can be said of the request any more, or need be.
    func unwatch() { writtenBefore = nil }

    /// The request's head could not leave: the other side was gone before.
    func couldNotWrite() {
        guard writtenBefore != nil else { return }
        writtenBefore = nil
        isUntouched = true
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written += UInt64(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        willClose()
        context.close(promise: nil)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        willClose()
        context.close(mode: mode, promise: promise)
    }

    /// The socket is about to be closed. What the other side acknowledged with the end of its stream is all it took.
    private func willClose() {
        guard let writtenBefore else { return }
        self.writtenBefore = nil
        // One more: the kernel counts the SYN.
        isUntouched = socket.counts.map { $0.acknowledged <= writtenBefore + 1 } ?? false
    }
}
