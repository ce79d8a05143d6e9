import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// The channel of one client connection: NIO's HTTP/1.1 decoder, then an `EdgeConnection`, which does the rest.
///
/// Hummingbird's server accepts and drains; its HTTP channel is not used: between the decoder and a request's task it puts two
/// translations of every part and an asynchronous stream each way, which were a third of edge's work for a request.
struct EdgeChannel: ServerChildChannel {
    /// Answers one request. Throws when the connection is to be closed.
    typealias Responder = @Sendable (ClientRequest, EdgeConnection) async throws -> Void

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let connection: NIOLoopBound<EdgeConnection>
    }

    let responder: Responder
    let connections: ConnectionSet

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 32 << 10
            limits.maxHeaderListSize = 64 << 10
            limits.maxHeaderFieldCount = 200
            let pipeline = channel.pipeline.syncOperations
            let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
            try pipeline.addHandler(ByteToMessageHandler(decoder))
            let connection = EdgeConnection(set: connections)
            try pipeline.addHandler(connection)
            return Value(channel: channel, connection: NIOLoopBound(connection, eventLoop: channel.eventLoop))
        }
    }

    /// Answers the connection's requests one after the other.
    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            let connection = value.connection.value
            do {
                while let request = try await connection.nextRequest() {
                    try await responder(request, connection)
                    if connection.isLast { break }
                }
                connection.end()
            } catch {
                // The client was told what there was to tell, or has left.
                logger.trace("a connection ended early", metadata: ["error": "\(error)"])
                connection.abort()
            }
        } onCancel: {
            value.channel.close(mode: .input, promise: nil)
        }
    }
}
