import Glibc
import NIOCore
import NIOPosix

/// A Unix socket as transport: the only channel handler of its pipeline.
///
/// `@unchecked Sendable`: touched on the channel's event loop only.
final class SocketTransport: ChannelInboundHandler, ByteTransport, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pipe: FramePipe
    private var context: ChannelHandlerContext?
    private var failure: (any Error)?
    private var channel: (any Channel)?
    private var descriptor: Int32 = -1
    /// Writes that the channel has not finished.
    private var outstanding = 0

    init(pipe: FramePipe) { self.pipe = pipe }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    var bufferedBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        outstanding += 1
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.outstanding -= 1 }
        context.write(wrapOutboundOut(bytes), promise: promise)
    }

    /// Most frames are short and the kernel has room for them: they need none of the channel's bookkeeping.
    func writeNow(_ bytes: ByteBuffer) {
        // A channel that has closed says so before `channelInactive` comes, and its descriptor may be another's by then.
        guard outstanding == 0, descriptor >= 0, let channel, channel.isActive else { return write(bytes) }
        let sent = bytes.withUnsafeReadableBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        if sent == bytes.readableBytes { return }
        // Whatever the kernel did not take, or refuses, is the channel's business: it waits, or finds out why and closes.
        write(sent > 0 ? bytes.getSlice(at: bytes.readerIndex + sent, length: bytes.readableBytes - sent) ?? bytes : bytes)
    }

    func flush() {
        if outstanding > 0 { context?.flush() }
    }

    func setReading(_ isOn: Bool) {
        guard let context else { return }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: isOn)
        } catch {
            errorCaught(context: context, error: error)
        }
    }

    func closeAfterFlush() {
        guard let context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.close() }
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.close() }
    }

    func close() { context?.close(promise: nil) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        let pipeline = context.channel.pipeline.syncOperations
        descriptor = (try? pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }) ?? -1
        pipe.attach(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        (descriptor, channel) = (-1, nil)
        pipe.transportClosed(failure.map { "\($0)" } ?? "the peer closed the connection")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { pipe.receive(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) { pipe.readComplete() }

    func channelWritabilityChanged(context: ChannelHandlerContext) { pipe.writabilityChanged() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        context.close(promise: nil)
    }
}
