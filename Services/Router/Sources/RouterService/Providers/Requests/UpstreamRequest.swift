import BulkheadAPI
import BulkheadCore
import NIOCore

/// One HTTP request to a provider. The credentials service adds host and secret.
package struct UpstreamRequest: Sendable {
    /// Absolute path below the destination's base URL, percent-encoded.
    package var path: String
    /// Raw query without the question mark.
    package var query: String?
    /// Headers besides those every request has.
    package var headers: [CredentialsAPI.Header] = []
    package var body: ByteBuffer
    /// The answer is expected as a stream.
    package var expectsStream: Bool
    /// The media type of such a stream.
    package var streamType = "text/event-stream"

    /// The first message of the exchange, without the body.
    package func head(_ target: Target, connectTimeout: Duration) -> CredentialsAPI.CallRequest {
        let accept = expectsStream ? streamType : "application/json"
        return CredentialsAPI.CallRequest(
            destination: target.destination, method: "POST", path: path, query: query,
            headers: [
                .init(name: "content-type", value: "application/json"), .init(name: "accept", value: accept),
                .init(name: "accept-encoding", value: "identity"),
            ] + headers,
            connectTimeoutMS: max(1, Int(connectTimeout.milliseconds)))
    }
}
