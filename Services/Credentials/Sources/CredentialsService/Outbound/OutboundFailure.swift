import BulkheadCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Failures of an exchange as callers see them. The libraries' own texts are never shown: some hold header values.
package enum OutboundFailure {
    /// The exchange failed before the response's head.
    /// - Parameter wasSent: whether the request's head went out.
    package static func beforeResponse(_ error: any Error, place: String, wasSent: Bool) -> CallError {
        // Our own word on the request.
        if let error = error as? CallError { return error }
        if (error as? UpstreamFault) == .cancelled { return cancelled }
        guard wasSent else {
            return CallError(
                .unavailable, reason: "upstream_unreachable", message: "\(place) cannot be reached: \(words(error))",
                notProcessed: true)
        }
        return CallError(.unavailable, reason: "upstream_error", message: "\(place) gave no answer: \(words(error))")
    }

    /// The response broke off.
    package static func midResponse(_ error: any Error, place: String) -> CallError {
        if let error = error as? CallError { return error }
        if (error as? UpstreamFault) == .cancelled { return cancelled }
        return CallError(.dataLoss, reason: "stream_broken", message: "the answer of \(place) broke off: \(words(error))")
    }

    /// Whether the error says that the connection is gone, rather than that time passed or that what came was no answer.
    static func isLostConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as UpstreamFault: error == .closed || error == .streamReset(isRefused: true)
        case let error as IOError: [EPIPE, ECONNRESET, ENOTCONN].contains(error.errnoCode)
        case let error as ChannelError: error == .eof || error == .ioOnClosedChannel || error == .alreadyClosed
        case let error as NIOSSLError: if case .uncleanShutdown = error { true } else { false }
        default: false
        }
    }

    private static let cancelled = CallError(.cancelled, message: "the call was cancelled")

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as UpstreamFault: words(error)
        case let error as IOError: words(errno: error.errnoCode)
        case let error as ChannelError: words(error)
        case let error as HTTPParserError where error == .headerOverflow: words(.headTooLarge)
        case is HTTPParserError: "what it sent is no HTTP"
        case is NIOHTTPDecoderError: "it sent more than an answer"
        case NIOSSLError.uncleanShutdown: "it closed the connection without ending TLS"
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: words(.untrusted)
        default: "the connection failed"
        }
    }

    private static func words(_ error: ChannelError) -> String {
        if case .connectTimeout = error { return words(.connectTimeout) }
        return words(.closed)
    }

    private static func words(_ fault: UpstreamFault) -> String {
        switch fault {
        case .cancelled: "the call was cancelled"
        case .connectTimeout: "no connection within the time allowed"
        case .closed: "it closed the connection"
        case .unresolved: "its name cannot be resolved"
        case .resolverBusy: "too many names are being resolved"
        case .otherPeer: "the connection leads to another address than was allowed"
        case .otherKey: "none of the keys in its certificate chain is pinned by the destination"
        case .untrusted: "the TLS handshake failed; is its certificate valid for this host, and its authority trusted?"
        case .proxyRefused: "the proxy refused or did not answer"
        case .headTooLarge: "the head of its answer is larger than 64 KiB or has more than 256 headers"
        case .ambiguous: "the end of its answer cannot be told for certain"
        case .lengthMismatch: "the request's body is not as long as its content-length says"
        case .streamReset: "it ended the exchange"
        case .stopping: "this process is stopping"
        }
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
