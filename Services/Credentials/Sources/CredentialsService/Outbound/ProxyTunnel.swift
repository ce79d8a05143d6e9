import NIOCore

/// Asks an HTTP proxy for a way through to an origin (CONNECT, RFC 9110 §9.3.6), and goes.
///
/// States: asked → the answer's head complete → open, or refused. Bytes that follow the head would be from nobody: neither TLS
/// nor HTTP lets a server speak first.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let maxHead = 16 << 10

    private var request = ByteBuffer()
    private let opened: EventLoopPromise<Void>
    private var answer = ByteBuffer()

    /// - Parameter opened: succeeds when what is written next goes to the origin.
    init(_ access: ProxyAccess, to origin: Origin, opened: EventLoopPromise<Void>) {
        request.writeString("CONNECT \(origin.place) HTTP/1.1\r\nHost: \(origin.place)\r\n")
        if case .pair(let pair) = access {
            request.writeStaticString("Proxy-Authorization: Basic ")
            request.writeBytes(pair.withBytes { Base64.encode(Array($0)) })
            request.writeStaticString("\r\n")
        }
        request.writeStaticString("\r\n")
        self.opened = opened
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        request = ByteBuffer()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        answer.writeBuffer(&bytes)
        let view = answer.readableBytesView
        guard let end = Self.end(view) else {
            if answer.readableBytes > Self.maxHead { refuse(context) }
            return
        }
        let status = view.prefix(12)
        guard end == view.endIndex, status.starts(with: Array("HTTP/1.".utf8)), status.dropFirst(8).starts(with: Array(" 2".utf8))
        else { return refuse(context) }
        opened.succeed()
    }

    private static func end(_ bytes: ByteBufferView) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        return bytes.indices.first { bytes[$0...].starts(with: mark) }.map { $0 + mark.count }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        opened.fail(UpstreamFault.proxyRefused)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { refuse(context) }

    func channelInactive(context: ChannelHandlerContext) {
        opened.fail(UpstreamFault.proxyRefused)
        context.fireChannelInactive()
    }
}
