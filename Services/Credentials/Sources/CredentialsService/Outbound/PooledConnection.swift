import NIOCore
import NIOHTTP1

/// A connection of the HTTP client as this process sees it, standing behind the HTTP decoder: what a request costs beyond the
/// client's own work is saved here, and what became of a request on a reused connection is found out here.
///
/// - The head of a request waits for its body, so that they leave with one write; at the latest with the end of the loop's turn.
/// - The body of an answer goes to its exchange at once, what one read brought in one piece, past the client, whose part in
///   it costs as much as all else. The client learns of the head, of the end and of errors, and owns the connection.
/// - Reading pauses while the exchange holds too much.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class PooledConnection: ChannelDuplexHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Where an exchange finds the connection its request's head was just written to.
    private let handover: ConnectionHandover
    private let socket: TCPSocket
    private let eventLoop: any EventLoop
    private var context: ChannelHandlerContext?
    private var requests = 0
    /// Who gets the body of the answer under way.
    private var exchange: UpstreamExchange?
    /// The body bytes of this read.
    private var joined: ByteBuffer?
    /// Whether this read brought something for the client, too.
    private var isForClient = false

    private var isSending = false
    private var flushIsScheduled = false
    private var isHeld = false
    private var wantsRead = false

    /// Bytes given to the socket so far, what came before the first request (TLS, a proxy) included.
    private var written: UInt64
    /// Set while a request on a reused connection has no answer yet: the bytes given to the socket before it.
    private var writtenBefore: UInt64?
    /// Whether the connection ended before the other side had acknowledged a single byte of the request.
    private(set) var isUntouched = false

    private init(_ handover: ConnectionHandover, _ channel: any Channel) {
        self.handover = handover
        eventLoop = channel.eventLoop
        socket = TCPSocket(channel)
        written = socket.counts?.sent ?? 0
    }

    /// Adds one to a connection of the HTTP client, before its first request.
    static func add(to channel: any Channel, _ handover: ConnectionHandover) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let connection = PooledConnection(handover, channel)
            try pipeline.addHandler(connection, position: .after(decoder))
            try pipeline.addHandler(ConnectionEdge(connection), position: .first)
            try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        }
    }

    /// Whether a request went this way before the one under way.
    var isReused: Bool { requests > 1 }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        exchange = nil
    }

    /// The exchange whose request is under way; gets the body of the answer.
    func serve(_ exchange: UpstreamExchange) { self.exchange = exchange }

    /// The exchange has room again. On any thread.
    func resume() {
        if eventLoop.inEventLoop { resumeReading() } else { eventLoop.execute { self.resumeReading() } }
    }

    private func resumeReading() {
        guard isHeld else { return }
        isHeld = false
        guard wantsRead else { return }
        wantsRead = false
        context?.read()
    }

    /// The socket is about to be closed. What the other side acknowledged with the end of its stream is all it took.
    func willClose() {
        guard let writtenBefore else { return }
        self.writtenBefore = nil
        // One more: the kernel counts the SYN.
        isUntouched = socket.counts.map { $0.acknowledged <= writtenBefore + 1 } ?? false
    }

    /// Bytes are on their way to the socket.
    func didWrite(_ bytes: Int) { written += UInt64(bytes) }
}

// MARK: the request
extension PooledConnection {
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            isSending = true
            requests += 1
            isUntouched = false
            handover.connection = self
            if isReused { return context.write(data, promise: watched(promise, context)) }
        case .body: break
        case .end: isSending = false
        }
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        guard isSending else { return context.flush() }
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.flushIsScheduled = false
            self.context?.flush()
        }
    }

    /// - Returns: the promise of a head that cannot leave when the other side is gone already.
    private func watched(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        writtenBefore = written
        let promise = promise ?? context.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenFailure { _ in
            self.writtenBefore = nil
            self.isUntouched = true
        }
        return promise
    }
}

// MARK: the answer
extension PooledConnection {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: writtenBefore = nil
        case .body(let bytes):
            guard exchange != nil else { break }
            if joined?.writeImmutableBuffer(bytes) == nil { joined = bytes }
            return
        case .end:
            deliver()
            exchange = nil
            resumeReading()
        }
        isForClient = true
        context.fireChannelRead(data)
    }

    /// Of a read that brought nothing but body the client hears nothing, nor is it asked whether to read on.
    func channelReadComplete(context: ChannelHandlerContext) {
        let isOwn = joined != nil && !isForClient
        isForClient = false
        deliver()
        guard isOwn else { return context.fireChannelReadComplete() }
        if !isHeld { context.read() }
    }

    /// What came before an end is passed on before it: last bytes and end may be seen in one turn of the loop.
    ///
    /// After an error nothing can be said of the request: a reset does not tell what the other side had taken before it.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        writtenBefore = nil
        deliver()
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deliver()
        context.fireChannelInactive()
        exchange = nil
    }

    func read(context: ChannelHandlerContext) {
        if isHeld { wantsRead = true } else { context.read() }
    }

    private func deliver() {
        guard let bytes = joined.take(), let exchange else { return }
        if !exchange.receive(bytes) { isHeld = true }
    }
}

/// First in the pipeline, next to the socket: lets a connection look at the socket before that is closed.
///
/// The end of the other side's stream closes the connection, as it would without this handler; it is told as an event, because
/// nothing could be asked of the socket afterwards.
final class ConnectionEdge: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let connection: PooledConnection

    init(_ connection: PooledConnection) { self.connection = connection }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        connection.didWrite(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        connection.willClose()
        context.close(promise: nil)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        connection.willClose()
        context.close(mode: mode, promise: promise)
    }
}
