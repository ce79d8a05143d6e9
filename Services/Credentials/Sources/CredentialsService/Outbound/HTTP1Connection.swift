import BulkheadCore
import NIOCore
import NIOHTTP1

/// An HTTP/1.1 connection: the end of its pipeline.
///
/// States: idle (no exchange) → request sent, its body maybe still coming (`isSending`) → head → body → idle again, or closed.
/// It is given back when all bytes of a read were looked at: bytes beyond an answer end the connection, and can never pass for
/// the answer to the next request.
///
/// - Head and short body leave with one write.
/// - What one read brings of a body goes to the exchange in one piece.
/// - Reading pauses while the exchange holds too much.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class HTTP1Connection: ChannelDuplexHandler, RequestLine, @unchecked Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    /// Bounds of a response's head, and of its trailers.
    private static let limits = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 64 << 10
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldCount = 256
        return limits
    }()

    let channel: any Channel
    /// The address at the other end.
    private let peer: String
    private let edge: ConnectionEdge
    private let wire = StatusLine()
    private let decoder = HTTPResponseDecoder(
        leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: HTTP1Connection.limits)
    private weak var owner: OriginConnections?

    private var context: ChannelHandlerContext?
    private var exchange: UpstreamExchange?
    private var served = 0
    private var isSending = false
    private var isChunked = false
    private var keepsAlive = false
    private var isDone = false
    /// The body bytes of this read.
    private var joined: ByteBuffer?
    private var isHeld = false
    private var wantsRead = false
    /// Since when it is idle.
    private(set) var idleSince = NIODeadline.now()

    private init(_ channel: any Channel, _ edge: ConnectionEdge, _ owner: OriginConnections) {
        self.channel = channel
        peer = channel.remoteAddress?.ipAddress ?? ""
        self.edge = edge
        self.owner = owner
    }

    /// Takes a channel whose peer, proxy and TLS are good.
    static func add(to channel: any Channel, _ edge: ConnectionEdge, _ owner: OriginConnections) throws -> HTTP1Connection {
        let connection = HTTP1Connection(channel, edge, owner)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(connection.wire)
        try pipeline.addHandler(ByteToMessageHandler(connection.decoder))
        try pipeline.addHandler(connection)
        return connection
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Whether it can take a request.
    var isUsable: Bool { exchange == nil && !isDone && channel.isActive }

    func close() { channel.close(promise: nil) }
}

// MARK: the request
extension HTTP1Connection {
    private static let requestHeads: [Bool: HTTPClientRequestPart] = [
        true: .head(HTTPRequestHead(version: .http1_1, method: .HEAD, uri: "/")),
        false: .head(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")),
    ]

    /// Sends the request. The connection is idle.
    func serve(_ exchange: UpstreamExchange, _ order: OutboundOrder) {
        let bytes: (head: ByteBuffer, body: ByteBuffer?)
        do throws(CallError) {
            bytes = try RequestBytes.make(order)
        } catch {
            exchange.giveUp(error)
            return release()
        }
        self.exchange = exchange
        keepsAlive = !order.isRepeat
        // Which responses have no body, the decoder knows by their request.
        if let head = Self.requestHeads[order.request.method == "HEAD"] { decoder.write(data: head) }
        wire.expect()
        exchange.begins(on: self, isReused: served > 0, at: peer)
        let promise = served > 0 ? watched() : nil
        served += 1
        wire.write(bytes.head, promise: promise)
        if let body = bytes.body { wire.write(body) }
        if case .streamed(let body) = order.request.body { begin(body) }
        wire.flush()
    }

    private func begin(_ body: StreamedRequestBody) {
        isSending = true
        isChunked = body.length == nil
        body.begin(self) { [weak exchange] in exchange?.giveUp($0) }
    }

    /// - Returns: the promise of a head that cannot leave when the other side is gone already.
    private func watched() -> EventLoopPromise<Void> {
        edge.watch()
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenFailure { _ in self.edge.couldNotWrite() }
        return promise
    }

    func send(_ piece: ByteBuffer) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        guard channel.eventLoop.inEventLoop else {
            channel.eventLoop.execute { self.send(piece, promise) }
            return promise.futureResult
        }
        send(piece, promise)
        return promise.futureResult
    }

    private func send(_ piece: ByteBuffer, _ promise: EventLoopPromise<Void>) {
        if isChunked { wire.write(ByteBuffer(string: String(piece.readableBytes, radix: 16) + "\r\n")) }
        wire.write(piece, promise: promise)
        if isChunked { wire.write(ByteBuffer(staticString: "\r\n")) }
        wire.flush()
    }

    /// On the loop, as promises of the loop are.
    func endBody() {
        guard isSending else { return }
        isSending = false
        if isChunked {
            wire.write(ByteBuffer(staticString: "0\r\n\r\n"))
            wire.flush()
        }
    }
}

// MARK: the answer
extension HTTP1Connection {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let bytes):
            guard exchange != nil else { break }
            if joined?.writeImmutableBuffer(bytes) == nil { joined = bytes }
        case .end(let trailers):
            deliver()
            guard let exchange else { break }
            self.exchange = nil
            isDone = true
            exchange.finish(trailers)
        }
    }

    private func begin(_ head: HTTPResponseHead, _ context: ChannelHandlerContext) {
        edge.unwatch()
        // The decoder refuses both together, and a length twice; what it let through would let two parties disagree.
        let lengths = head.headers["content-length"].count
        guard lengths <= 1, lengths == 0 || !head.headers.contains(name: "transfer-encoding"), head.status != .switchingProtocols
        else { return fail(UpstreamFault.ambiguous, context) }
        keepsAlive = keepsAlive && head.isKeepAlive
        exchange?.receive(head, reason: wire.reason(of: head.status))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        if isDone { release() }
    }

    /// What came before an end is passed on before it: last bytes and end may be seen in one turn of the loop.
    private func deliver() {
        guard let bytes = joined.take(), let exchange else { return }
        if !exchange.receive(bytes) { isHeld = true }
    }

    /// All that was read is looked at: the connection may serve the next request.
    private func release() {
        isDone = false
        isHeld = false
        if wantsRead {
            wantsRead = false
            context?.read()
        }
        guard keepsAlive, !isSending, channel.isActive else { return close() }
        idleSince = .now()
        owner?.release(self)
    }

    func read(context: ChannelHandlerContext) {
        if isHeld { wantsRead = true } else { context.read() }
    }

    func resume() {
        guard isHeld else { return }
        isHeld = false
        guard wantsRead else { return }
        wantsRead = false
        context?.read()
    }

    func abandon() {
        exchange = nil
        keepsAlive = false
        close()
    }

    /// After an error nothing can be said of the request: a reset does not tell what the other side had taken before it.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context) }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        deliver()
        keepsAlive = false
        edge.unwatch()
        let (exchange, isUntouched) = (exchange.take(), edge.isUntouched)
        context.close(promise: nil)
        exchange?.fail(error, isUntouched: isUntouched)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deliver()
        let exchange = exchange.take()
        owner?.remove(self)
        exchange?.fail(UpstreamFault.closed, isUntouched: edge.isUntouched)
    }
}
