import NIOCore

/// A Unix socket as transport: the only channel handler of its pipeline.
///
/// `@unchecked Sendable`: touched on the channel's event loop only.
final class SocketTransport: ChannelInboundHandler, ByteTransport, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pipe: FramePipe
    private var context: ChannelHandlerContext?
    private var failure: (any Error)?

    init(pipe: FramePipe) { self.pipe = pipe }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    var bufferedBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    func flush() { context?.flush() }

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

    func channelActive(context: ChannelHandlerContext) { pipe.attach(self) }

    func channelInactive(context: ChannelHandlerContext) {
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
