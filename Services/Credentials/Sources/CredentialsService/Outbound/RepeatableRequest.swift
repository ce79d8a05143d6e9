import AsyncHTTPClient
import BulkheadCore
import Glibc
import NIOCore
import NIOSSL

/// A request that may have to be sent once more, and how.
///
/// A pooled connection that the upstream closes in the moment of a request loses that request. It is sent once more when it is
/// certain that the upstream did nothing with it: the connection had served a request before, no answer began, and either
/// nothing of the request could leave, or the upstream ended its stream without having acknowledged a single byte. RFC 9110
/// §9.2.2 lets a client repeat a POST only if it knows as much. A close after the request was taken, or a reset, may have
/// been paid for, and stays a failure.
final class RepeatableRequest: Sendable {
    /// Longer bodies are not kept until the answer begins.
    private static let maxBytes = 1 << 20

    private let client: OutboundClient
    private let request: HTTPClient.Request
    private let connectTimeout: Duration

    /// nil when the body is too long to be kept.
    init?(_ client: OutboundClient, _ request: HTTPClient.Request, bodyBytes: Int, connectTimeout: Duration) {
        guard bodyBytes <= Self.maxBytes else { return nil }
        self.client = client
        self.request = request
        self.connectTimeout = connectTimeout
    }

    /// Sends it on a connection that nobody used before and nobody uses afterwards.
    func start(_ exchange: UpstreamExchange) {
        var request = request
        request.headers.add(name: "connection", value: "close")
        exchange.start(client.fresh, request, connectTimeout)
    }

    /// Whether the error says that the connection is gone, rather than that time passed or that what came was no answer.
    static func isLostConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as IOError: [EPIPE, ECONNRESET, ENOTCONN].contains(error.errnoCode)
        case let error as ChannelError: error == .eof || error == .ioOnClosedChannel || error == .alreadyClosed
        case let error as NIOSSLError: if case .uncleanShutdown = error { true } else { false }
        default: false
        }
    }
}
