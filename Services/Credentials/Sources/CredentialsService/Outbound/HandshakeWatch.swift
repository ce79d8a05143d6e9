import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind TLS until its handshake is over. `@unchecked Sendable`: touched on the connection's loop only.
final class HandshakeWatch: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private let done: EventLoopPromise<String?>

    /// - Parameter done: succeeds with the protocol agreed on.
    init(_ done: EventLoopPromise<String?>) { self.done = done }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let version)? = event as? TLSUserEvent {
            done.succeed(version)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        done.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        done.fail(UpstreamFault.closed)
        context.fireChannelInactive()
    }
}
