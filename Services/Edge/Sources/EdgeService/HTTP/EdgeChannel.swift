import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1.1 channel with an `EdgeConnection` between the codec of NIO and the rest.
struct EdgeChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let inner: HTTP1Channel
    private let connections: ConnectionSet

    init(responder: @escaping HTTPChannelHandler.Responder, connections: ConnectionSet) {
        var decoder = HTTP1Channel.Configuration.DecoderConfiguration()
        decoder.maxHeaderFieldSize = 32 << 10
        decoder.maxHeaderListSize = 64 << 10
        decoder.maxHeaderFieldCount = 200
        // A client that sends half a request, or nothing, holds its connection no longer than this.
        inner = HTTP1Channel(
            responder: responder, configuration: .init(idleTimeout: .seconds(120), httpDecoderConfiguration: decoder))
        self.connections = connections
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(EdgeConnection(set: connections), position: .after(decoder))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async { await inner.handle(value: value, logger: logger) }
}
