import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// An HTTPS server on a free port of this machine. It answers with what it saw; paths say how: `/x` at once, `/hang` never,
/// `/refuse` turns the first stream away, `/last` says GOAWAY with its answer.
final class SecureUpstream: Sendable {
    /// What it saw so far.
    struct Seen {
        /// Bytes that came through TLS.
        var bytes = 0
        var connections = 0
        var requests: [String] = []
        /// Headers that a client must never let HPACK remember.
        var neverIndexed: [String] = []
        var resets = 0
        var refusals = 0
    }

    let port: Int
    private let channel: any Channel
    private let counts: Box

    final class Box: Sendable {
        let seen = Mutex(Seen())
    }

    var seen: Seen { counts.seen.withLock { $0 } }

    init(_ certificate: String, isHTTP2: Bool = false, _ change: (inout TLSConfiguration) -> Void = { _ in }) async throws {
        let files = try TestCertificates.shared.get()
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.path("\(certificate).pem")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.path("\(certificate).key"), format: .pem)))
        tls.applicationProtocols = isHTTP2 ? ["h2"] : ["http/1.1"]
        change(&tls)
        let context = try NIOSSLContext(configuration: tls)
        let counts = Box()
        self.counts = counts
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    counts.seen.withLock { $0.connections += 1 }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    try pipeline.addHandler(ByteCount(counts))
                    if isHTTP2 {
                        let handler = NIOHTTP2Handler(mode: .server, eventLoop: channel.eventLoop) { stream in
                            stream.eventLoop.makeCompletedFuture {
                                try stream.pipeline.syncOperations.addHandler(StreamAnswer(counts, channel))
                            }
                        }
                        try pipeline.addHandler(handler)
                    } else {
                        try pipeline.configureHTTPServerPipeline()
                        try pipeline.addHandler(PlainAnswer(counts))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }
}

private final class ByteCount: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let counts: SecureUpstream.Box

    init(_ counts: SecureUpstream.Box) { self.counts = counts }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        counts.seen.withLock { $0.bytes += unwrapInboundIn(data).readableBytes }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class PlainAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let counts: SecureUpstream.Box
    private var text = ""

    init(_ counts: SecureUpstream.Box) { self.counts = counts }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            text = "\(head.method) \(head.uri) host=\(head.headers["host"].joined()) "
            counts.seen.withLock { $0.requests.append(head.uri) }
        case .body(let bytes): text += String(buffer: bytes)
        case .end:
            let headers: HTTPHeaders = ["content-length": "\(text.utf8.count)"]
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

private final class StreamAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload
    private let counts: SecureUpstream.Box
    private let parent: any Channel
    private var path = ""
    private var body = ""

    init(_ counts: SecureUpstream.Box, _ parent: any Channel) {
        self.counts = counts
        self.parent = parent
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            path = frame.headers.first(name: ":path") ?? ""
            counts.seen.withLock { seen in
                seen.requests.append(path)
                for (name, _, indexing) in frame.headers where indexing == .neverIndexed { seen.neverIndexed.append(name) }
            }
            if frame.endStream { answer(context) }
        case .data(let frame):
            if case .byteBuffer(let bytes) = frame.data { body += String(buffer: bytes) }
            if frame.endStream { answer(context) }
        default: break
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        if path == "/hang" { return }
        if path == "/refuse",
            counts.seen.withLock({
                $0.refusals += 1; return $0.refusals
            }) == 1
        {
            context.writeAndFlush(wrapOutboundOut(.rstStream(.refusedStream)), promise: nil)
            return
        }
        let text = "h2 \(path) \(body)"
        for interim in [103, 200] {
            let headers: HPACKHeaders = [":status": "\(interim)", "x-interim": "\(interim)"]
            context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        }
        context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(ByteBuffer(string: text))))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: ["x-trailer": "t"], endStream: true))), promise: nil)
        guard path == "/last" else { return }
        parent.writeAndFlush(
            HTTP2Frame(streamID: .rootStream, payload: .goAway(lastStreamID: 1, errorCode: .noError, opaqueData: nil)),
            promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .cancel { counts.seen.withLock { $0.resets += 1 } }
        context.close(promise: nil)
    }
}
