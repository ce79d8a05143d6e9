import BulkheadConfig
import BulkheadIPC
import BulkheadServiceKit
import Glibc
import NIOCore
import NIOPosix

/// Asks the edge whether the suite is ready.
enum Probe {
    /// Whether GET /ready answers 200 within half a second.
    static func isReady(_ address: HostPort) async -> Bool {
        let loop = ProcessRuntime.eventLoop
        let promise = loop.makePromise(of: Bool.self)
        let host = address.host == "0.0.0.0" ? "127.0.0.1" : address.host == "::" ? "::1" : address.host
        ClientBootstrap(group: loop).connectTimeout(.milliseconds(500))
            .channelInitializer { channel in channel.pipeline.addHandler(ReadyHandler(promise)) }
            .connect(host: host, port: address.port)
            .whenFailure { _ in promise.succeed(false) }
        do { return try await promise.futureResult.get() } catch { return false }
    }
}

/// Sends one request and looks at the status line; a whole HTTP client would be more than the question.
private final class ReadyHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let promise: EventLoopPromise<Bool>

    init(_ promise: EventLoopPromise<Bool>) { self.promise = promise }

    func channelActive(context: ChannelHandlerContext) {
        let request = ByteBuffer(string: "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = unwrapInboundIn(data)
        promise.succeed(answer.readableBytesView.starts(with: "HTTP/1.1 200".utf8))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(false) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
