import BulkheadCore
import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2

/// An HTTP/2 connection: the end of its pipeline, and the origin of its streams, one for each exchange. A stream that ends early
/// is reset; the connection and its other streams go on.
///
/// States: open → draining (the other side said GOAWAY, or something was wrong with the connection: no new streams) → closed.
///
/// `@unchecked Sendable`: touched on the connection's loop only.
final class HTTP2Connection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTP2Frame

    /// RFC 9113 §6.5.2 sets no bound; until the other side has named its own, this many.
    private static let defaultStreams = 100

    private static let settings: HTTP2Settings = [
        HTTP2Setting(parameter: .enablePush, value: 0),
        HTTP2Setting(parameter: .initialWindowSize, value: 64 << 10),
        HTTP2Setting(parameter: .maxHeaderListSize, value: 64 << 10),
    ]

    let channel: any Channel
    /// The address at the other end.
    let peer: String
    private let streams: NIOHTTP2Handler.StreamMultiplexer
    private weak var owner: OriginConnections?
    private var maxStreams = HTTP2Connection.defaultStreams
    private var active = 0
    private var isDraining = false
    /// Since when no stream is open; nil while one is.
    private(set) var idleSince: NIODeadline? = .now()

    private init(_ channel: any Channel, _ streams: NIOHTTP2Handler.StreamMultiplexer, _ owner: OriginConnections) {
        self.channel = channel
        peer = channel.remoteAddress?.ipAddress ?? ""
        self.streams = streams
        self.owner = owner
    }

    /// Takes a channel whose peer and TLS are good, and both sides of which speak HTTP/2.
    static func add(to channel: any Channel, _ owner: OriginConnections) throws -> HTTP2Connection {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = settings
        // Shared by all streams: one that nobody reads must not stop the others.
        connection.targetWindowSize = 16 << 20
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = 64 << 10
        stream.outboundBufferSizeHighWatermark = 128 << 10
        stream.outboundBufferSizeLowWatermark = 64 << 10
        let pipeline = channel.pipeline.syncOperations
        let handler = NIOHTTP2Handler(
            mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: connection, streamConfiguration: stream,
            // A server that opens streams though push is off is not served.
            inboundStreamInitializer: { $0.close() })
        try pipeline.addHandler(handler)
        let made = HTTP2Connection(channel, try handler.syncMultiplexer(), owner)
        try pipeline.addHandler(made)
        return made
    }

    /// Whether it can take one more request.
    var hasRoom: Bool { !isDraining && active < maxStreams && channel.isActive }

    func close() { channel.close(promise: nil) }

    /// Sends the request on a stream of its own. The connection has room.
    func serve(_ exchange: UpstreamExchange, _ order: OutboundOrder) {
        active += 1
        idleSince = nil
        let stream = HTTP2Stream(self, exchange, order)
        streams.createStreamChannel { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(stream)
            }
        }.whenFailure { stream.couldNotOpen($0) }
    }

    /// One of its streams is over.
    func ended() {
        active -= 1
        if active == 0 { idleSince = .now() }
        if isDraining {
            if active == 0 { close() }
        } else {
            owner?.hasRoom(self)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .settings(.settings(let settings)):
            for setting in settings where setting.parameter == .maxConcurrentStreams { maxStreams = max(0, setting.value) }
        case .goAway: drain()
        default: break
        }
    }

    /// Bounds of the other side only: everything of a stream is told to the stream.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is NIOHTTP2Errors.StreamError { return }
        drain()
        context.close(promise: nil)
    }

    private func drain() {
        isDraining = true
        if active == 0 { close() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isDraining = true
        owner?.remove(self)
        context.fireChannelInactive()
    }
}
