import BulkheadCore
import BulkheadResilience
import NIOCore

/// One call of a link, from the caller's await to its end.
///
/// States: waiting (for a link or a probe's result) → open (on a stream of a connection) → over. A call that was not
/// processed, or may be repeated, goes from open back to waiting, once.
///
/// `@unchecked Sendable`: touched on the link's event loop only, after its creation.
final class ClientCall: @unchecked Sendable {
    let method: MethodDescriptor
    let options: CallOptions
    /// The message in the opening frame; kept for a second try.
    let request: ByteBuffer?
    let started = MonotonicTime.now()

    /// Of a unary call, until it is over.
    var reply: UnsafeContinuation<ByteBuffer, any Error>?
    /// Of a stream, until it is open or has failed.
    var opening: UnsafeContinuation<Void, any Error>?
    var inbound: InboundMessages?
    var outbound: OutboundMessages?

    var connection: ClientConnection?
    var stream: UInt32 = 0
    var permit: CircuitBreaker.Permit?
    /// The link's book counts the call as in flight.
    var isCounted = false
    var isOver = false
    var isWaiting = false
    /// Waits no longer than this.
    var patience = MonotonicTime.never
    var wasRetried = false
    /// The peer has sent something; a second try is out of the question.
    var hasResponse = false
    var assembler = MessageAssembler()
    var replyMessage: ByteBuffer?

    init(_ method: MethodDescriptor, _ request: ByteBuffer?, _ options: CallOptions) {
        self.method = method
        self.options = options
        self.request = request
    }

    var isUnary: Bool { method.shape == .unary }

    /// The caller sends nothing after the opening frame.
    var endsRequest: Bool { request != nil }

    func mayRetry(_ error: CallError, now: MonotonicTime) -> Bool {
        guard !wasRetried, !hasResponse, endsRequest, error.code == .unavailable, now < options.deadline else { return false }
        return error.notProcessed || options.isIdempotent
    }

    /// Hands the end to whoever awaits it.
    func resume(_ result: Result<ByteBuffer?, CallError>) {
        isOver = true
        isWaiting = false
        connection = nil
        if let reply = reply.take() {
            reply.resume(with: result.map { $0 ?? ByteBuffer() }.mapError { $0 })
            return
        }
        let end = result.map { _ in () }
        if let opening = opening.take() { opening.resume(with: end.mapError { $0 }) }
        inbound?.finish(end)
        switch end {
        case .success: outbound?.close(CallError(.cancelled, reason: "call_ended", message: "the peer has ended the call"))
        case .failure(let error): outbound?.close(error)
        }
    }

    /// What the end says about the peer. `fromPeer`: its own word, so that it is alive.
    func outcome(_ error: CallError, fromPeer: Bool) -> CircuitBreaker.Outcome {
        if error.notProcessed { return .neutral }
        // A handler that names its reason works: what failed (a provider, a secret) is a value of its answer, not the link.
        if fromPeer, !error.reason.isEmpty { return .success }
        switch error.code {
        case .internal, .unknown, .dataLoss: return .failure
        case .unavailable: return fromPeer ? .success : .failure
        // With less time than this a healthy peer may be late, too.
        case .deadlineExceeded: return options.deadline - started >= .milliseconds(50) ? .failure : .neutral
        case .cancelled, .resourceExhausted: return .neutral
        default: return .success
        }
    }
}
