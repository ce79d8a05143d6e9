import BulkheadCore
import NIOCore

/// What a handler knows of the call it serves.
package struct ServerCall: Sendable {
    /// Absolute; calls a handler makes in turn pass it on (never a later one).
    package let deadline: MonotonicTime
    package let metadata: CallMetadata
    /// The service at the other end as it named itself in the handshake (checked against its uid), or "admin".
    package let peer: String
    /// The uid of the peer process by SO_PEERCRED; nil in process.
    package let peerUID: UInt32?
    /// The process that opened the connection by SO_PEERCRED; nil in process. It may have passed the connection on.
    package let peerPID: Int32?
    /// The loop the connection lives on. The handler's task starts on it.
    package let eventLoop: any EventLoop

    /// What a handler is told of its call.
    package init(
        deadline: MonotonicTime, metadata: CallMetadata, peer: String, peerUID: UInt32?, peerPID: Int32? = nil,
        eventLoop: any EventLoop
    ) {
        self.deadline = deadline
        self.metadata = metadata
        self.peer = peer
        self.peerUID = peerUID
        self.peerPID = peerPID
        self.eventLoop = eventLoop
    }
}

/// Thrown by a handler that has done nothing yet and does not want to: the caller may try once more, at the time
/// `error.retryAfter` says. Any other error ends the call for good, whatever a peer further on said about itself: this handler
/// has begun, and what it did before it failed must not be done twice.
package struct Refusal: Error, Sendable {
    /// What the caller is told.
    package let error: CallError

    /// - Parameter error: told as not processed.
    package init(_ error: CallError) {
        var error = error
        error.notProcessed = true
        self.error = error
    }
}

/// How a method is executed. Handlers run in a task that is cancelled when the caller cancels, its deadline passes or its
/// connection goes; they end a call by returning or by throwing a `CallError` (any other error becomes `.unknown`).
package enum ServerHandler: Sendable {
    /// One message in, one out, answered on the event loop without a task: for handlers that never wait.
    case immediate(@Sendable (ByteBuffer, ServerCall) -> Result<ByteBuffer, CallError>)
    /// One message in, one out.
    case unary(@Sendable (ByteBuffer, ServerCall) async throws -> ByteBuffer)
    /// One message in, one out, for handlers that rarely wait: `now` answers as an immediate one does, or gives nil, and `later`
    /// is asked in a task. A message that comes in fragments is left to `later`.
    case eager(
        now: @Sendable (ByteBuffer, ServerCall) -> Result<ByteBuffer, CallError>?,
        later: @Sendable (ByteBuffer, ServerCall) async throws -> ByteBuffer)
    /// Any number of messages each way; covers client, server and bidirectional streams.
    case stream(@Sendable (MessageReader, ServerCall, MessageWriter) async throws -> Void)
}

extension ServerHandler {
    /// What is answered without a task; nil: the handler needs one.
    func answerNow(_ message: ByteBuffer, _ call: ServerCall) -> Result<ByteBuffer, CallError>? {
        switch self {
        case .immediate(let handler): handler(message, call)
        case .eager(let now, _): now(message, call)
        case .unary, .stream: nil
        }
    }
}

/// A method and its execution, as registered with a server.
package struct ServerMethod: Sendable {
    package let descriptor: MethodDescriptor
    /// How it is executed.
    package let handler: ServerHandler

    /// A method served by `handler`.
    package init(_ descriptor: MethodDescriptor, _ handler: ServerHandler) {
        self.descriptor = descriptor
        self.handler = handler
    }
}
