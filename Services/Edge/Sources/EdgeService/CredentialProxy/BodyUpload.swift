import BulkheadAPI
import BulkheadCore
import NIOCore

/// The way of a request's body from the client to the credentials service while the answer may come already. The client is read
/// from only as fast as the destination takes. Lives on the event loop of its connection.
final class BodyUpload {
    /// Why the body could not be passed on, when that is the client's doing.
    private(set) var failure: EdgeError?
    private let exchange: Exchange
    private let limit: Int

    init(_ exchange: Exchange, limit: Int) {
        self.exchange = exchange
        self.limit = limit
    }

    /// Passes the body on until its end, or until nobody takes it any more.
    func run(_ writer: ClientTypedWriter<CredentialsAPI.CallRequest>, _ reader: TypedReader<CredentialsAPI.CallReply>) async {
        do {
            try await exchange.body.pass(limit: limit, exchange.reply) { piece in
                exchange.takenBytes += piece.readableBytes
                try await writer.write(CredentialsAPI.CallRequest(body: piece))
            }
            writer.finish()
        } catch let error as EdgeError {
            failure = error
            reader.abandon()
        } catch is CallError {
            // The exchange is over; its answer, or its error, says more.
        } catch {
            // The client left, or the answer ended first: neither waits for the rest.
            reader.abandonIfLeft(exchange)
        }
    }
}

extension TypedReader<CredentialsAPI.CallReply> {
    fileprivate func abandonIfLeft(_ exchange: Exchange) { if exchange.connection.clientLeft { abandon() } }
}
