import BulkheadIPC
import NIOCore
import NIOHTTP1

// States of one connection: waiting (for a request, or for more of its body: closed when nothing comes for `idleLimit`) →
// working (on a request, as long as that takes) → waiting, or ending (the last answer is on its way out) → closed.

/// One client connection, between the HTTP decoder and the task that answers its requests one after the other. Ends the work of
/// a client that left, keeps a silent stream alive, never reads much more than is wanted, never writes more than is taken.
///
/// Lives on the event loop of its channel and is touched there only.
final class EdgeConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct KeepAlive {
        let sign: ByteBuffer
        let interval: TimeAmount
        var timer: Scheduled<Void>
    }

    /// A client that sends half a request, or nothing, holds its connection no longer than this.
    private static let idleLimit = TimeAmount.seconds(120)
    /// How long a client may take to read the last answer.
    private static let farewell = Duration.seconds(10)

    private let set: ConnectionSet
    private var context: ChannelHandlerContext?
    private var running: UnsafeCurrentTask?
    private var keepAlive: KeepAlive?
    private var closing: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var lastWrite = NIODeadline.now()
    private var lastActive = NIODeadline.now()
    private var inbound = InboundParts()
    private var isReadHeld = false
    /// A head was taken, and its `.end` was not yet.
    private var isInBody = false
    private var isDraining = false
    /// Set while the task waits for the client to send something.
    private var reader: UnsafeContinuation<Void, Never>?
    /// Set while the task waits for the client to take something.
    private var writer: UnsafeContinuation<Void, Never>?
    /// True once the client has closed its side: nobody reads an answer any more.
    private(set) var clientLeft = false
    /// After the answer to the present request the connection ends.
    private(set) var isLast = false

    init(set: ConnectionSet) { self.set = set }

    // MARK: requests

    /// Waits for the next request's head. What is no HTTP is answered here. - Returns: nil when there is none any more.
    /// - Throws: `BodyNotRead` when part of the last request's body is still to come.
    func nextRequest() async throws -> ClientRequest? {
        if isDraining, inbound.isEmpty { return nil }
        guard let part = await nextPart() else {
            if case .unreadable? = inbound.end { refuseForeign() }
            return nil
        }
        guard case .head(let head) = part else { throw BodyNotRead() }
        let request = ClientRequest(head)
        isInBody = true
        isLast = isDraining || !request.keepsConnection
        return request
    }

    /// Waits for the next piece of the present request's body; nil at its end.
    /// - Throws: `ClientLeft`; `EdgeError` 400 when its framing is broken.
    func nextPiece() async throws -> ByteBuffer? {
        guard isInBody else { return nil }
        switch await nextPart() {
        case .body(let piece): return piece
        case .end:
            isInBody = false
            return nil
        case .head: throw BodyNotRead()
        case nil:
            isLast = true
            isInBody = false
            guard case .unreadable? = inbound.end else { throw ClientLeft() }
            throw EdgeError(.badRequest, message: "The request's body is not framed as HTTP/1.1 demands: send it anew.")
        }
    }

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

    private func nextPart() async -> HTTPServerRequestPart? {
        if let part = take() { return part }
        guard inbound.end == nil else { return nil }
        lastActive = .now()
        await withUnsafeContinuation { reader = $0 }
        return take()
    }

    private func take() -> HTTPServerRequestPart? {
        guard let part = inbound.take() else { return nil }
        if isReadHeld, !inbound.isFull {
            isReadHeld = false
            context?.read()
        }
        return part
    }

    // MARK: answers

    /// Writes bytes of an answer at once, and waits while the client takes none. - Throws: `ClientLeft`.
    func write(_ bytes: ByteBuffer) async throws {
        try send(bytes)
        if let context, !context.channel.isWritable { await withUnsafeContinuation { writer = $0 } }
    }

    /// The same in two parts that leave with one system call.
    func write(_ head: ByteBuffer, _ body: ByteBuffer) async throws {
        guard let context, context.channel.isActive else { throw ClientLeft() }
        context.write(wrapOutboundOut(head), promise: nil)
        try await write(body)
    }

    private func send(_ bytes: ByteBuffer) throws {
        guard let context, context.channel.isActive else { throw ClientLeft() }
        lastWrite = .now()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// From now on writes `sign` into the answer whenever nothing else was written for `interval`.
    func beginKeepAlive(_ sign: ByteBuffer, every interval: TimeAmount) {
        guard let context, keepAlive == nil else { return }
        keepAlive = KeepAlive(sign: sign, interval: interval, timer: schedule(context, interval))
    }

    /// Ends what `beginKeepAlive` began.
    func endKeepAlive() {
        keepAlive?.timer.cancel()
        keepAlive = nil
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
            context.writeAndFlush(wrapOutboundOut(next.sign), promise: nil)
        }
        next.timer = schedule(context, silence >= next.interval ? next.interval : next.interval - silence)
        keepAlive = next
    }

    /// Bytes that are no HTTP get an answer with a request id too.
    private func refuseForeign() {
        var head = ByteBuffer()
        AnswerHead(status: 400, scope: RequestScope(), framing: .length(0), closes: true).write(to: &head)
        // It fails only when nobody is left to read it.
        try? send(head)
    }

    // MARK: the end

    /// Lets the connection end with the present answer.
    func makeLast() { isLast = true }

    /// Closes the connection once all that was written is out.
    func end() {
        guard let context else { return }
        let channel = context.channel
        // What a client still sends is not read, and would turn the close into a reset that can overtake the answer.
        let lingers = if case .unreadable? = inbound.end { true } else { false }
        if lingers { context.close(mode: .output, promise: nil) }
        close(after: Self.farewell)
        guard !lingers else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
    }

    /// Closes the connection.
    func abort() { context?.close(promise: nil) }

    private func leave(_ context: ChannelHandlerContext) {
        guard !clientLeft else { return }
        clientLeft = true
        inbound.finish(.left)
        endKeepAlive()
        wakeReader()
        wakeWriter()
        // Not from inside the pipeline: cancelling closes the channel's input.
        context.eventLoop.assumeIsolated().execute { self.running?.cancel() }
    }

    private func wakeReader() { reader.take()?.resume() }
    private func wakeWriter() { writer.take()?.resume() }

    // MARK: the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        set.insert(context.channel)
        armIdleTimer(context, Self.idleLimit)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave(context)
        self.context = nil
        set.remove(context.channel)
        idleTimer?.cancel()
        idleTimer = nil
        closing?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        lastActive = .now()
        inbound.append(part)
        wakeReader()
    }

    func read(context: ChannelHandlerContext) {
        if inbound.isFull { isReadHeld = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbound.finish(.unreadable(error))
        wakeReader()
        // Anything else than bytes that are no HTTP is trouble of the socket.
        if !(error is HTTPParserError) { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave(context)
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { wakeWriter() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // A client that closes its sending side has left: as with Go's net/http, its request is cancelled.
        case ChannelEvent.inputClosed as ChannelEvent: leave(context)
        case is ChannelShouldQuiesceEvent:
            isDraining = true
            isLast = true
            if reader != nil, !isInBody { context.close(promise: nil) }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func armIdleTimer(_ context: ChannelHandlerContext, _ delay: TimeAmount) {
        idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.checkIdle() }
    }

    private func checkIdle() {
        guard let context else { return }
        let idle = reader == nil ? .zero : NIODeadline.now() - lastActive
        if idle >= Self.idleLimit { return context.close(promise: nil) }
        armIdleTimer(context, Self.idleLimit - idle)
    }
}
