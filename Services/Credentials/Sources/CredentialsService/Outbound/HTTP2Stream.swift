import BulkheadCore
import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2

/// One exchange on an HTTP/2 connection.
///
/// States: opening → request sent, its body maybe still coming → head (interim ones are skipped) → data → over.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class HTTP2Stream: ChannelDuplexHandler, RequestLine, @unchecked Sendable {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = Never
    typealias OutboundOut = HTTP2Frame.FramePayload

    private static let maxHeaders = 256

    private let connection: HTTP2Connection
    private let order: OutboundOrder
    private let eventLoop: any EventLoop
    private var exchange: UpstreamExchange?
    private var context: ChannelHandlerContext?
    private var hasHead = false
    private var isHeld = false
    private var wantsRead = false
    private var isSending = false
    private var isEnded = false

    init(_ connection: HTTP2Connection, _ exchange: UpstreamExchange, _ order: OutboundOrder) {
        self.connection = connection
        self.exchange = exchange
        self.order = order
        eventLoop = connection.channel.eventLoop
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// The connection takes no more streams.
    func couldNotOpen(_ error: any Error) { end(UpstreamFault.streamReset(isRefused: true), isUntouched: true) }

    // MARK: the request

    func channelActive(context: ChannelHandlerContext) {
        guard let exchange, !exchange.isOver else { return abandon() }
        // The other side says what it did not take, on a new connection too.
        exchange.begins(on: self, isReused: true, at: connection.peer)
        let headers = Self.headers(order)
        switch order.request.body {
        case .none: write(.headers(.init(headers: headers, endStream: true)), context)
        case .whole(let bytes):
            write(.headers(.init(headers: headers)), context)
            write(.data(.init(data: .byteBuffer(bytes), endStream: true)), context)
        case .streamed(let body):
            write(.headers(.init(headers: headers)), context)
            isSending = true
            body.begin(self) { [weak exchange] in exchange?.giveUp($0) }
        }
        context.flush()
        context.fireChannelActive()
    }

    private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(payload), promise: nil)
    }

    /// What holds a secret never enters the tables of HPACK, neither ours nor an intermediary's (RFC 7541 §7.1.3).
    private static func headers(_ order: OutboundOrder) -> HPACKHeaders {
        let request = order.request
        var headers = HPACKHeaders()
        headers.add(name: ":method", value: request.method)
        headers.add(name: ":scheme", value: order.origin.isTLS ? "https" : "http")
        headers.add(name: ":authority", value: order.origin.authority)
        headers.add(name: ":path", value: request.target.joined, indexing: indexing(request.target, usual: .nonIndexable))
        for header in request.headers {
            headers.add(
                name: header.name.lowercased(), value: header.value.joined, indexing: indexing(header.value, usual: .indexable))
        }
        switch request.body {
        case .none: break
        case .whole(let bytes): headers.add(name: "content-length", value: String(bytes.readableBytes))
        case .streamed(let body):
            if let length = body.length { headers.add(name: "content-length", value: String(length)) }
        }
        return headers
    }

    private static func indexing(_ text: SecretText, usual: HPACKIndexing) -> HPACKIndexing {
        text.plain == nil ? .neverIndexed : usual
    }

    func send(_ piece: ByteBuffer) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            guard let context = self.context, !self.isEnded else { return promise.fail(ChannelError.ioOnClosedChannel) }
            context.writeAndFlush(self.wrapOutboundOut(.data(.init(data: .byteBuffer(piece)))), promise: promise)
        }
        return promise.futureResult
    }

    func endBody() {
        guard let context, !isEnded, isSending else { return }
        isSending = false
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true))), promise: nil)
    }

    // MARK: the answer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame): receive(frame)
        case .data(let frame):
            if case .byteBuffer(let bytes) = frame.data, bytes.readableBytes > 0, let exchange, !exchange.receive(bytes) {
                isHeld = true
            }
            if frame.endStream { finish(nil) }
        default: break
        }
    }

    private func receive(_ frame: HTTP2Frame.FramePayload.Headers) {
        guard let exchange else { return }
        guard frame.headers.count <= Self.maxHeaders else { return fail(UpstreamFault.headTooLarge) }
        var fields = HTTPHeaders()
        for (name, value, _) in frame.headers where !name.hasPrefix(":") { fields.add(name: name, value: value) }
        if hasHead { return finish(fields) }
        guard let status = frame.headers.first(name: ":status").flatMap({ Int($0) }) else { return fail(UpstreamFault.ambiguous) }
        if (100 ... 199).contains(status) { return }
        hasHead = true
        let head = HTTPResponseHead(version: .http2, status: HTTPResponseStatus(statusCode: status), headers: fields)
        exchange.receive(head, reason: "")
        if frame.endStream { finish(nil) }
    }

    private func finish(_ trailers: HTTPHeaders?) {
        let exchange = exchange.take()
        exchange?.finish(trailers)
        // Of a body that is still coming nothing is wanted any more.
        if isSending { context?.close(promise: nil) }
        over()
    }

    private func fail(_ error: any Error, isUntouched: Bool = false) {
        let exchange = exchange.take()
        context?.close(promise: nil)
        over()
        exchange?.fail(error, isUntouched: isUntouched)
    }

    private func end(_ error: any Error, isUntouched: Bool) {
        let exchange = exchange.take()
        over()
        guard let exchange else { return }
        // Nothing was sent: the order is still whole.
        if isUntouched, !exchange.wasSent { exchange.sendAgain(order) } else { exchange.fail(error, isUntouched: isUntouched) }
    }

    private func over() {
        guard !isEnded else { return }
        isEnded = true
        connection.ended()
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
        context?.close(promise: nil)
        over()
    }

    /// `refusedStream`, also of streams beyond a GOAWAY's last: the other side did nothing with the request.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let closed = error as? NIOHTTP2Errors.StreamClosed else {
            return fail(UpstreamFault.streamReset(isRefused: false))
        }
        let isRefused = closed.errorCode == .refusedStream
        end(UpstreamFault.streamReset(isRefused: isRefused), isUntouched: isRefused)
    }

    func channelInactive(context: ChannelHandlerContext) { end(UpstreamFault.closed, isUntouched: false) }
}
