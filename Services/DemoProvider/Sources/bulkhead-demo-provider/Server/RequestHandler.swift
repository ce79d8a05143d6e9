import Glibc
import NIOCore
import NIOHTTP1

// A connection is reading (head and body arrive) or sending (`sending` is set). NIO's pipelining handler holds a further
// request back until the answer is complete. A fault that breaks the connection ends it in `broken`.

/// Collects a request and sends its answer, at its pace and with its fault.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let provider: Provider
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var sending: Sending?

    private struct Sending {
        var logNumber: Int?
        var isKeptAlive: Bool
        var timer: Scheduled<Void>?
    }

    init(provider: Provider) { self.provider = provider }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(var part):
            guard head != nil else { return }
            if body.readableBytes + part.readableBytes > Request.largestBody { return refuseLargeBody(context) }
            if body.readableBytes == 0 { body = part } else { body.writeBuffer(&part) }
        case .end:
            guard let head else { return }
            let request = Request(head: head, body: body)
            self.head = nil
            body = ByteBuffer()
            answer(request, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        sending?.timer?.cancel()
        if let sending { provider.finish(sending.logNumber, .aborted) }
        sending = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset or a request that is not HTTP: either way this connection is over.
        context.close(promise: nil)
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.head = head
        guard head.headers.contains(name: "expect") else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
    }

    private func refuseLargeBody(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        body = ByteBuffer()
        let message = "the request body is larger than \(Request.largestBody) bytes"
        let reply = OpenAIChat.errorReply(.payloadTooLarge, BadRequest(message: message))
        sending = Sending(logNumber: nil, isKeptAlive: false)
        send(Transmission(reply: reply, directives: .none, pace: nil), of: head, context)
    }

    private func answer(_ request: Request, _ context: ChannelHandlerContext) {
        let outcome = provider.outcome(of: request)
        sending = Sending(logNumber: outcome.logNumber, isKeptAlive: request.head.isKeepAlive)
        let pace = outcome.directives.tokensPerSecond ?? provider.tokensPerSecond
        let transmission = Transmission(reply: outcome.reply, directives: outcome.directives, pace: pace)
        let wait = outcome.directives.delay.nanoseconds + (outcome.logNumber == nil ? 0 : provider.latency.nanoseconds)
        if wait == 0 { return send(transmission, of: request.head, context) }
        after(.now() + .nanoseconds(wait), context) { handler, context in handler.send(transmission, of: request.head, context) }
    }

    /// Runs `step` at the given time, unless the connection is gone by then.
    private func after(
        _ time: NIODeadline, _ context: ChannelHandlerContext, _ step: @escaping (RequestHandler, ChannelHandlerContext) -> Void
    ) {
        sending?.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            if self.sending != nil { step(self, context) }
        }
    }
}

extension RequestHandler {
    private func send(_ transmission: Transmission, of request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch transmission.beforeHead {
        case .send: break
        case .stall: return
        case .reset: return reset(context)
        }
        context.write(wrapOutboundOut(.head(transmission.head(version: request.version))), promise: nil)
        guard let interval = transmission.interval else {
            write(transmission.bytes, context)
            return finish(transmission.ending, context)
        }
        sendToken(0, of: transmission, start: .now(), interval: interval, context)
    }

    /// Sends up to the end of token `number`, then waits for the time of the next.
    private func sendToken(
        _ number: Int, of transmission: Transmission, start: NIODeadline, interval: Int64, _ context: ChannelHandlerContext
    ) {
        write(transmission.frame(number), context)
        if number == transmission.lastFrame { return finish(transmission.ending, context) }
        context.flush()
        let next = number + 1
        after(start + .nanoseconds(interval * Int64(next)), context) { handler, context in
            handler.sendToken(next, of: transmission, start: start, interval: interval, context)
        }
    }

    private func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        if bytes.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
    }

    private func finish(_ ending: Transmission.Ending, _ context: ChannelHandlerContext) {
        switch ending {
        case .well: finishWell(context)
        case .stall: context.flush()
        case .close: breakOff(context) { $0.close(promise: nil) }
        case .reset:
            context.flush()
            reset(context)
        }
    }

    private func finishWell(_ context: ChannelHandlerContext) {
        provider.finish(sending?.logNumber, .answered)
        let isKeptAlive = sending?.isKeptAlive ?? false
        sending = nil
        guard !isKeptAlive else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    /// What has been written must reach the client before the connection breaks.
    private func breakOff(_ context: ChannelHandlerContext, _ close: (ChannelHandlerContext) -> Void) {
        provider.finish(sending?.logNumber, .broken)
        sending = nil
        context.flush()
        close(context)
    }

    private func reset(_ context: ChannelHandlerContext) {
        breakOff(context) { context in
            // Closing with a linger time of zero sends a reset. On the channel's loop the option is set at once.
            guard let options = context.channel as? any SocketOptionProvider else { return context.close(promise: nil) }
            let channel = context.channel
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }
}
