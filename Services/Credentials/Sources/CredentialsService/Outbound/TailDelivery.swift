import NIOCore
import NIOHTTP1

/// Lets what an upstream sent before it broke off be read before the break is told.
///
/// The HTTP client passes a body on when a read is complete, and drops what it holds on an error. When an upstream's last bytes and the
/// end of its connection are seen in one turn of the loop, that would be the end of the body. Stands behind the HTTP decoder.
final class TailDelivery: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireChannelReadComplete()
        context.fireErrorCaught(error)
    }

    /// Adds one to a connection of the HTTP client.
    @Sendable static func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(TailDelivery(), position: .after(decoder))
        }
    }
}
