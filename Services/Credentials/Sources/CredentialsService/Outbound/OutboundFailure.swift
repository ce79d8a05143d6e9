import AsyncHTTPClient
import BulkheadCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Failures of an exchange as callers see them. The HTTP client's own texts are never shown: some hold header values or the
/// whole URL.
enum OutboundFailure {
    /// The exchange failed before the response's head.
    /// - Parameter wasSent: whether the request's head went out.
    static func beforeResponse(_ error: any Error, place: String, wasSent: Bool) -> CallError {
        // Our own word on the request's body.
        if let error = error as? CallError { return error }
        if (error as? HTTPClientError) == .cancelled { return cancelled }
        guard wasSent else {
            return CallError(
                .unavailable, reason: "upstream_unreachable", message: "\(place) cannot be reached: \(words(error))",
                notProcessed: true)
        }
        return CallError(.unavailable, reason: "upstream_error", message: "\(place) gave no answer: \(words(error))")
    }

    /// The response broke off.
    static func midResponse(_ error: any Error, place: String) -> CallError {
        if let error = error as? CallError { return error }
        if (error as? HTTPClientError) == .cancelled { return cancelled }
        return CallError(.dataLoss, reason: "stream_broken", message: "the answer of \(place) broke off: \(words(error))")
    }

    private static let cancelled = CallError(.cancelled, message: "the call was cancelled")

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: words(error)
        case let error as IOError: words(errno: error.errnoCode)
        case let error as NIOConnectionError: words(error)
        case is ChannelError: "the connection was closed"
        case is HTTPParserError: "what it sent is no HTTP"
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            "the TLS handshake failed; is its certificate valid for this host, and its authority trusted?"
        default: "the connection failed"
        }
    }

    private static func words(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: "no connection within the time allowed"
        case .tlsHandshakeTimeout: "the TLS handshake did not end in time"
        case .httpProxyHandshakeTimeout, .invalidProxyResponse, .proxyAuthenticationRequired:
            "the proxy refused or did not answer"
        case .remoteConnectionClosed: "it closed the connection"
        case .uncleanShutdown: "it closed the connection without ending TLS"
        case .bodyLengthMismatch: "the request's body is not as long as its content-length says"
        case .alreadyShutdown: "this process is stopping"
        default: "the exchange failed"
        }
    }

    private static func words(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first {
            return (first.error as? IOError).map { words(errno: $0.errnoCode) } ?? words(first.error)
        }
        return "its name cannot be resolved"
    }

    private static func words(errno code: Int32) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "it reset the connection"
        case EHOSTUNREACH, ENETUNREACH: "no route to it"
        case ETIMEDOUT: "the connection timed out"
        default: String(cString: strerror(code))
        }
    }
}
