import BulkheadCore
import NIOCore

/// What carries one exchange: an HTTP/1.1 connection, or one stream of an HTTP/2 connection. On the loop only.
protocol RequestLine: AnyObject, Sendable {
    /// The exchange has room again.
    func resume()
    /// Nothing more is wanted of this exchange: closes the connection, or resets the stream.
    func abandon()
    /// A piece of a streamed body; done when the socket took it.
    func send(_ piece: ByteBuffer) -> EventLoopFuture<Void>
    /// The streamed body is complete.
    func endBody()
}

/// A request with all that is needed to carry it out, once more if need be.
///
/// A kept connection that the upstream closes in the moment of a request loses that request. It is sent once more when it is
/// certain that the upstream did nothing with it: the connection had served a request before, no answer began, and either
/// nothing of the request could leave, or the upstream ended its stream without having acknowledged a single byte; over HTTP/2,
/// when the upstream says so (RFC 9113 §8.7). RFC 9110 §9.2.2 lets a client repeat a POST only if it knows as much. A close
/// after the request was taken, or a reset, may have been paid for, and stays a failure.
struct OutboundOrder: Sendable {
    /// Longer bodies are not kept until the answer begins.
    private static let maxKept = 1 << 20

    var request: OutboundRequest
    var origin: Origin
    /// Until the request's head is sent.
    var connectTimeout: Duration
    /// Sent on a connection that nobody used before and nobody uses afterwards.
    var isRepeat = false

    /// A body that comes in pieces cannot be sent twice.
    var isRepeatable: Bool {
        switch request.body {
        case .none: true
        case .whole(let bytes): bytes.readableBytes <= Self.maxKept
        case .streamed: false
        }
    }
}
