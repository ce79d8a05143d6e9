import BulkheadIPC
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

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
    /// The present request, or the last answer, may take until then.
    private var closesAt: NIODeadline?
    /// The one timer of `closesAt` and of the idle limit, which comes early rather than being moved with every request.
    private var watch: Scheduled<Void>?
    private var watchAt = NIODeadline.distantFuture
    /// Of the socket while it is open.
    private var descriptor: CInt = -1
    /// Writes that the channel has not finished.
    private var outstanding = 0
    private var lastWrite = NIODeadline.now()
    private var lastActive = NIODeadline.now()
    private var inbound = InboundParts()
    private var isReadHeld = false
    /// A head was taken, and its `.end` was not yet.
    private var isInBody = false
    private var isDraining = false
    /// Whoever waited for a piece of a body is told that nobody wants it any more.
    private var isInterrupted = false
    /// Set while the task waits for the client to send something.
    private var reader: UnsafeContinuation<Void, Never>?
    /// Set while the task waits for the client to take something.
    private var writer: UnsafeContinuation<Void, Never>?
    /// True once the client has closed its side: nobody reads an answer any more.
    private(set) var clientLeft = false
    /// The work on the present request goes on when the client leaves.
    private(set) var outlivesClient = false
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
    /// - Throws: `ClientLeft`; `EdgeError` 400 when its framing is broken; `CancellationError` after `interruptReading`.
    func nextPiece() async throws -> ByteBuffer? {
        guard isInBody else { return nil }
        defer { isInterrupted = false }
        switch await nextPart() {
        case .body(let piece): return piece
        case .end:
            isInBody = false
            return nil
        case .head: throw BodyNotRead()
        case nil where isInterrupted: throw CancellationError()
        case nil:
            isLast = true
            isInBody = false
            guard case .unreadable? = inbound.end else { throw ClientLeft() }
            throw EdgeError(.badRequest, message: "The request's body is not framed as HTTP/1.1 demands: send it anew.")
        }
    }

    /// Ends the wait of the task that is in `nextPiece`, if one is: what comes later of the body is somebody else's to read.
    func interruptReading() {
        guard reader != nil else { return }
        isInterrupted = true
        wakeReader()
    }

    /// Runs `body`, one request, in the task of the connection, which is cancelled when the client leaves meanwhile.
    /// - Throws: `ClientLeft` when it left before; what `body` throws.
    func serve(_ body: () async throws -> Void) async throws {
        if clientLeft { throw ClientLeft() }
        // The reference is only used until `body` has returned, and the task that runs it lives at least as long.
        withUnsafeCurrentTask { running = $0 }
        defer {
            running = nil
            outlivesClient = false
            closesAt = nil
            endKeepAlive()
        }
        try await body()
    }

    /// Closes the connection after `duration` unless the request has ended before: a client that does not read its answer holds
    /// nothing for ever.
    func close(after duration: Duration) {
        guard let context else { return }
        let moment = NIODeadline.now() + TimeAmount(duration)
        closesAt = moment
        if moment < watchAt { armWatch(context, until: moment) }
    }

    /// From now on the client's leave does not end the work on the present request; what is written to it is dropped then.
    func outliveClient() {
        if running != nil, !clientLeft { outlivesClient = true }
    }

    /// Cancels the task that works on the present request.
    func interruptWork() { running?.cancel() }

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
        if outlivesClient, clientLeft { return }
        try send(bytes)
        if let context, !context.channel.isWritable { await withUnsafeContinuation { writer = $0 } }
    }

    /// The same in two parts that leave with one system call.
    func write(_ head: ByteBuffer, _ body: ByteBuffer) async throws {
        if outlivesClient, clientLeft { return }
        guard let context, context.channel.isActive else { throw ClientLeft() }
        pass(head, context)
        try await write(body)
    }

    /// Most answers are short and the kernel has room for them: they need none of the channel's bookkeeping.
    private func send(_ bytes: ByteBuffer) throws {
        // A channel that has closed says so before it says `channelInactive`, and its descriptor may be another's by then.
        guard let context, context.channel.isActive else { throw ClientLeft() }
        lastWrite = .now()
        var bytes = bytes
        if outstanding == 0, descriptor >= 0 {
            let sent = bytes.withUnsafeReadableBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if sent == bytes.readableBytes { return }
            // Whatever the kernel did not take, or refuses, is the channel's business: it waits, or finds out why and closes.
            bytes.moveReaderIndex(forwardBy: max(0, sent))
        }
        pass(bytes, context)
        context.flush()
    }

    /// Hands bytes to the channel, which writes them when it is flushed.
    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        outstanding += 1
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.outstanding -= 1 }
        context.write(wrapOutboundOut(bytes), promise: promise)
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
            // It fails only when nobody is left to read it.
            try? send(next.sign)
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
        context.eventLoop.assumeIsolated().execute {
            if !self.outlivesClient { self.running?.cancel() }
        }
    }

    private func wakeReader() { reader.take()?.resume() }
    private func wakeWriter() { writer.take()?.resume() }

    // MARK: the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        set.insert(context.channel)
        armWatch(context, until: .now() + Self.idleLimit)
    }

    func channelActive(context: ChannelHandlerContext) {
        let pipeline = context.channel.pipeline.syncOperations
        // Without the socket everything goes through the channel, as it would have to with a handler before the decoder that
        // changes bytes (TLS): such a pipeline must leave the descriptor alone.
        descriptor = (try? pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }) ?? -1
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave(context)
        self.context = nil
        set.remove(context.channel)
        descriptor = -1
        watch?.cancel()
        watch = nil
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
        descriptor = -1
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

    private func armWatch(_ context: ChannelHandlerContext, until moment: NIODeadline) {
        watch?.cancel()
        watchAt = moment
        watch = context.eventLoop.assumeIsolated().scheduleTask(deadline: moment) { self.checkTime() }
    }

    private func checkTime() {
        guard let context else { return }
        let now = NIODeadline.now()
        let idle = reader == nil ? .zero : now - lastActive
        if idle >= Self.idleLimit || closesAt.map({ $0 <= now }) ?? false { return context.close(promise: nil) }
        let limit = now + (Self.idleLimit - idle)
        armWatch(context, until: closesAt.map { min($0, limit) } ?? limit)
    }
}
