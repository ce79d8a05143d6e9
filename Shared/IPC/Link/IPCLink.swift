public import BulkheadCore
public import BulkheadResilience
public import NIOCore

/// The state of a link to a peer process.
package enum LinkState: String, Sendable, Codable {
    case connecting
    case ready
    /// The peer answers nothing: a PING is overdue.
    case suspect
    case down
    case draining
    /// The peer speaks another protocol version, or a method's messages are not compatible.
    case incompatible
}

/// The peer's own word on its health, pushed over the link when it changes.
package struct PeerHealth: Sendable, Equatable {
    package enum State: String, Sendable, Codable {
        case starting
        case ready
        case degraded
        case notServing
        case draining
    }
    package var state: State
    /// What is wrong, for people; empty when ready.
    package var reason: String

    package init(state: State, reason: String = "") {
        self.state = state
        self.reason = reason
    }
}

/// What `links` and `/ready` show of one link.
package struct LinkSnapshot: Sendable, Codable {
    package var peer: String
    package var state: LinkState
    /// Seconds since the link came into this state.
    package var stateSeconds: Double
    /// closed | open | half-open | forced-open | forced-closed
    package var breaker: String
    package var inFlight: Int
    package var calls: UInt64
    package var failures: UInt64
    package var lastError: String?
    /// Latency of calls in milliseconds; nil before the first.
    package var p50Milliseconds: Double?
    package var p99Milliseconds: Double?
    /// The peer's health as it last said: starting | ready | degraded | notServing | draining; nil before it said anything.
    package var peerHealth: String?
    package var peerReason: String?
    /// The peer's instance id (16 hexadecimal digits suffice for people).
    package var peerInstance: String?
    package var peerPID: Int32?

    package init(peer: String, state: LinkState) {
        self.peer = peer
        self.state = state
        self.stateSeconds = 0
        self.breaker = "closed"
        self.inFlight = 0
        self.calls = 0
        self.failures = 0
    }
}

/// Everything one link is made of: where it goes and how it protects its process.
package struct LinkConfiguration: Sendable {
    /// The service at the other end, checked in the handshake.
    package var peer: String
    /// The service that dials.
    package var caller: String
    /// Path of the peer's socket; at most 107 bytes.
    package var socketPath: String
    /// The schemas the caller was built with.
    package var schemas: [ServiceSchema]
    package var breaker: CircuitBreaker.Configuration
    /// Calls in flight at most; beyond it a call fails at once with RESOURCE_EXHAUSTED.
    package var maxInFlight: Int
    /// The uids the peer's socket directory may be owned by; nil: this process's own uid or root.
    package var allowedOwners: [UInt32]?

    package init(
        peer: String, caller: String, socketPath: String, schemas: [ServiceSchema],
        breaker: CircuitBreaker.Configuration = CircuitBreaker.Configuration(), maxInFlight: Int = 8192, allowedOwners: [UInt32]? = nil
    ) {
        self.peer = peer
        self.caller = caller
        self.socketPath = socketPath
        self.schemas = schemas
        self.breaker = breaker
        self.maxInFlight = maxInFlight
        self.allowedOwners = allowedOwners
    }
}

/// A client's connection to one peer process: dials, keeps dialling, watches, and calls.
///
/// Starts itself, reconnects itself (20 ms → 500 ms with jitter) and always knows why it is not ready. All of it lives on
/// one event loop; calls from another loop hop onto it.
package final class IPCLink: Sendable {
    /// Starts dialling at once.
    package init(configuration: LinkConfiguration, eventLoop: any EventLoop) { fatalError("pending") }

    /// One message in, one out.
    /// - Throws: `CallError`; the link's own failures are UNAVAILABLE (with `retryAfter` while the breaker is open),
    ///   DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED, UNIMPLEMENTED and INTERNAL.
    package func unary(_ method: MethodDescriptor, _ request: ByteBuffer, _ options: CallOptions) async throws -> ByteBuffer {
        fatalError("pending")
    }

    /// Opens a stream for the duration of `body`. Leaving `body` early, by return or throw, cancels the call at the peer.
    /// The request side is ended by `MessageWriter.finish()` or by leaving `body`.
    package func stream<Value: Sendable>(
        _ method: MethodDescriptor, _ options: CallOptions, _ body: (MessageReader, ClientMessageWriter) async throws -> Value
    ) async throws -> Value {
        fatalError("pending")
    }

    /// One message in, a stream out: the request travels in the opening frame, together with the end of the request side.
    package func serverStream<Value: Sendable>(
        _ method: MethodDescriptor, _ request: ByteBuffer, _ options: CallOptions, _ body: (MessageReader) async throws -> Value
    ) async throws -> Value {
        fatalError("pending")
    }

    /// What this link is and does right now. Callable from any thread.
    package func snapshot() -> LinkSnapshot { fatalError("pending") }

    /// Forces the breaker: true open, false closed, nil back to automatic.
    package func forceBreaker(open: Bool?) { fatalError("pending") }

    /// Called on the link's event loop whenever state or the peer's health changes. At most one observer.
    package func onChange(_ observer: @escaping @Sendable (LinkSnapshot) -> Void) { fatalError("pending") }

    /// Stops dialling, ends what is in flight with UNAVAILABLE, closes.
    package func close() async { fatalError("pending") }
}

/// The request half of a stream a client opened.
package struct ClientMessageWriter: Sendable {
    /// Sends one message; waits while the peer grants no credit.
    package func write(_ message: ByteBuffer) async throws { fatalError("pending") }
    /// Ends the request half. Further writes are a programming error.
    package func finish() { fatalError("pending") }
}
