import BulkheadCore
import BulkheadResilience
import NIOCore
import Synchronization

/// A client's connection to one peer process: dials, keeps dialling, watches, and calls.
///
/// Starts itself, reconnects itself (20 ms → 250 ms with jitter) and always knows why it is not ready. All of it lives on
/// one event loop; calls from another loop hop onto it.
package final class IPCLink: Sendable {
    private let core: LinkCore

    /// Starts dialling at once.
    package convenience init(configuration: LinkConfiguration, eventLoop: any EventLoop) {
        let owners = configuration.allowedOwners ?? [ProcessInstance.uid, 0]
        self.init(configuration, dialer: .socket(path: configuration.socketPath, owners: owners), eventLoop)
    }

    init(_ configuration: LinkConfiguration, dialer: LinkDialer, _ eventLoop: any EventLoop) {
        core = LinkCore(configuration, dialer: dialer, eventLoop: eventLoop)
        eventLoop.run { [core] in core.dial() }
    }

    deinit {
        core.eventLoop.execute { [core] in core.close() }
    }

    /// One message in, one out.
    /// - Throws: `CallError`; the link's own failures are UNAVAILABLE (with `retryAfter` while the breaker is open),
    ///   DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED, UNIMPLEMENTED and INTERNAL.
    package func unary(_ method: MethodDescriptor, _ request: ByteBuffer, _ options: CallOptions) async throws -> ByteBuffer {
        precondition(method.shape == .unary, "bug: \(method.name) is a stream, called as unary")
        let call = ClientCall(method, request, options)
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                // Not `run`: on the loop its closure would be an allocation of every call.
                if core.eventLoop.inEventLoop {
                    call.reply = continuation
                    core.start(call)
                } else {
                    core.eventLoop.execute { [core] in
                        call.reply = continuation
                        core.start(call)
                    }
                }
            }
        } onCancel: {
            core.eventLoop.execute { [core] in core.cancel(call) }
        }
    }

    /// Opens a stream for the duration of `body`. Leaving `body` early, by return or throw, cancels the call at the peer.
    /// The request side is ended by `ClientMessageWriter.finish()` or by leaving `body`.
    package func stream<Value: Sendable>(
        _ method: MethodDescriptor, _ options: CallOptions, _ body: (MessageReader, ClientMessageWriter) async throws -> Value
    ) async throws -> Value {
        try await within(ClientCall(method, nil, options)) { inbound, outbound in
            guard let outbound else { throw CallError(.internal, message: "stream without a request half") }
            return try await body(MessageReader(inbound: inbound), ClientMessageWriter(outbound: outbound))
        }
    }

    /// One message in, a stream out: the request travels in the opening frame, together with the end of the request side.
    package func serverStream<Value: Sendable>(
        _ method: MethodDescriptor, _ request: ByteBuffer, _ options: CallOptions, _ body: (MessageReader) async throws -> Value
    ) async throws -> Value {
        try await within(ClientCall(method, request, options)) { inbound, _ in try await body(MessageReader(inbound: inbound)) }
    }

    private func within<Value: Sendable>(
        _ call: ClientCall, _ body: (InboundMessages, OutboundMessages?) async throws -> Value
    ) async throws -> Value {
        precondition(call.method.shape != .unary, "bug: \(call.method.name) is unary, called as a stream")
        return try await withTaskCancellationHandler {
            defer { core.eventLoop.run { [core] in core.cancel(call) } }
            try await withUnsafeThrowingContinuation { continuation in
                core.eventLoop.run { [core] in
                    call.opening = continuation
                    core.start(call)
                }
            }
            guard let inbound = call.inbound else { throw CallError(.internal, message: "stream without a response half") }
            return try await body(inbound, call.outbound)
        } onCancel: {
            core.eventLoop.execute { [core] in core.cancel(call) }
        }
    }

    /// What this link is and does right now. Callable from any thread.
    package func snapshot() -> LinkSnapshot { core.snapshot() }

    /// The caller's methods as they were negotiated with the peer; empty before the first handshake. Callable from any thread.
    package func methods() -> [LinkMethod] { core.book.withLock { $0.methods } }

    /// Forces the breaker: true open, false closed, nil back to automatic.
    package func forceBreaker(open: Bool?) {
        let override: CircuitBreaker.Override =
            switch open {
            case .some(true): .open
            case .some(false): .closed
            case nil: .automatic
            }
        core.eventLoop.run { [core] in core.force(override) }
    }

    /// Called on the link's event loop whenever state or the peer's health changes, and once at the start. At most one
    /// observer.
    package func onChange(_ observer: @escaping @Sendable (LinkSnapshot) -> Void) {
        core.eventLoop.run { [core] in core.observe(observer) }
    }

    /// Stops dialling, ends what is in flight with UNAVAILABLE, closes.
    package func close() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            core.eventLoop.run { [core] in
                core.close()
                continuation.resume()
            }
        }
    }
}
