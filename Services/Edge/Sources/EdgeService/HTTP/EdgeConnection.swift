import NIOCore
import NIOHTTP1

/// Watches one client connection beside the HTTP codec: ends the work of a client that left, keeps a silent stream alive,
/// and sees to it that even an answer made below the pipeline (400 to bytes that are no HTTP) has a request id.
///
/// Lives on the event loop of its channel and is touched there only.
final class EdgeConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private struct KeepAlive {
        let sign: ByteBuffer
        let interval: TimeAmount
        var timer: Scheduled<Void>
    }

    private let set: ConnectionSet
    private var context: ChannelHandlerContext?
    private var running: UnsafeCurrentTask?
    private var keepAlive: KeepAlive?
    private var closing: Scheduled<Void>?
    private var lastWrite = NIODeadline.now()
    /// True once the client has closed its side: nobody reads an answer any more.
    private(set) var clientLeft = false

    init(set: ConnectionSet) { self.set = set }

    /// Runs `body`, one request, in the task of the connection, which is cancelled when the client leaves meanwhile.
    /// - Throws: `ClientLeft` when it left before; what `body` throws.
    func serve(_ body: () async throws -> Void) async throws {
        if clientLeft { throw ClientLeft() }
        // The reference is only used until `body` has returned, and the task that runs it lives at least as long.
        withUnsafeCurrentTask { running = $0 }
        defer {
            running = nil
            closing?.cancel()
            closing = nil
            endKeepAlive()
        }
        try await body()
    }

    /// Closes the connection after `duration` unless the request has ended before: a client that does not read its answer holds
    /// nothing for ever.
    func close(after duration: Duration) {
        guard let context else { return }
        let channel = context.channel
        closing = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) { channel.close(promise: nil) }
    }

    /// From now on writes `sign` into the body whenever nothing else was written for `interval`.
    func beginKeepAlive(_ sign: ByteBuffer, every interval: TimeAmount) {
        guard let context, keepAlive == nil else { return }
        keepAlive = KeepAlive(sign: sign, interval: interval, timer: schedule(context, interval))
    }

    /// Ends what `beginKeepAlive` began.
    func endKeepAlive() {
        keepAlive?.timer.cancel()
        keepAlive = nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        set.insert(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        set.remove(context.channel)
        endKeepAlive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave(context)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that closes its sending side has left: as with Go's net/http, its request is cancelled.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { leave(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        lastWrite = .now()
        guard case .head(var head) = unwrapOutboundIn(data), !head.headers.contains(name: "x-request-id"),
            head.status.code >= 200
        else { return context.write(data, promise: promise) }
        for (name, value) in RequestScope().fieldsOfForeignAnswer { head.headers.replaceOrAdd(name: name, value: value) }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func leave(_ context: ChannelHandlerContext) {
        guard !clientLeft else { return }
        clientLeft = true
        endKeepAlive()
        // Not from inside the pipeline: cancelling closes the channel's input.
        context.eventLoop.assumeIsolated().execute { self.running?.cancel() }
    }

    private func schedule(_ context: ChannelHandlerContext, _ delay: TimeAmount) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.beat() }
    }

    private func beat() {
        guard let context, var next = keepAlive else { return }
        let silence = NIODeadline.now() - lastWrite
        // What a client does not read is not added to.
        if silence >= next.interval, context.channel.isWritable {
            lastWrite = .now()
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(next.sign))), promise: nil)
        }
        next.timer = schedule(context, silence >= next.interval ? next.interval : next.interval - silence)
        keepAlive = next
    }
}
