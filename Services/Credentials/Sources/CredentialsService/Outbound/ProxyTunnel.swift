import BulkheadConfig
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

    private let request: String
    private let opened: EventLoopPromise<Void>
    private var answer = ByteBuffer()

    /// - Parameter opened: succeeds when what is written next goes to the origin.
    init(_ proxy: AbsoluteURL, to origin: Origin, opened: EventLoopPromise<Void>) {
        var request = "CONNECT \(origin.place) HTTP/1.1\r\nHost: \(origin.place)\r\n"
        if let user = proxy.userInfo {
            let pair = PercentEncoding.decode(user.utf8)
            request += "Proxy-Authorization: Basic \(String(decoding: Base64.encode(pair), as: UTF8.self))\r\n"
        }
        self.request = request + "\r\n"
        self.opened = opened
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
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

extension PercentEncoding {
    /// The bytes that a text stands for whose escapes are complete.
    fileprivate static func decode(_ text: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2).compactMap(digit)
            guard byte == UInt8(ascii: "%"), digits.count == 2 else {
                bytes.append(byte)
                continue
            }
            bytes.append(digits[0] << 4 | digits[1])
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
