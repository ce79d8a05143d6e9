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

    /// What may follow a failure.
    enum Retry: Equatable {
        case none
        /// The peer provably did nothing: costs no budget.
        case transparent
        case budgeted(after: Duration)
    }

    /// Nobody is kept waiting for a second try longer than this; a caller that is told to come back later decides itself.
    private static let longestPause: Duration = .milliseconds(250)

    func retry(_ error: CallError, now: MonotonicTime) -> Retry {
        guard !wasRetried, !hasResponse, endsRequest, now < options.deadline else { return .none }
        let pushback = error.retryAfter
        if let pushback, pushback < .zero { return .none }
        switch error.code {
        case .unavailable where error.notProcessed: return .transparent
        // Only what the link itself lost: what a living peer calls unavailable is its own business.
        case .unavailable where options.isIdempotent && error.origin == nil: return .budgeted(after: .zero)
        case .resourceExhausted where error.notProcessed:
            guard let pushback, pushback <= Self.longestPause, pushback < options.deadline - now else { return .none }
            return .budgeted(after: pushback)
        default: return .none
        }
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
        inbound?.finish(end, isAbandoned: isAbandoned(end))
        switch end {
        case .success: outbound?.close(CallError(.cancelled, reason: "call_ended", message: "the peer has ended the call"))
        case .failure(let error): outbound?.close(error)
        }
    }

    /// The caller itself has given up or run out of time: what still came is not wanted.
    private func isAbandoned(_ end: Result<Void, CallError>) -> Bool {
        guard case .failure(let error) = end, error.origin == nil else { return false }
        return error.code == .cancelled || error.code == .deadlineExceeded
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
        // A stream that was still heard from only took longer than its caller had time for.
        case .deadlineExceeded where hasResponse: return .neutral
        // How long a stream may be silent is its caller's wish (a provider that thinks); a peer that is silent altogether is
        // found out by the link's own pings.
        case .deadlineExceeded where method.methodClass == .stream: return .neutral
        case .deadlineExceeded: return options.deadline - started >= .milliseconds(50) ? .failure : .neutral
        case .cancelled, .resourceExhausted: return .neutral
        default: return .success
        }
    }
}
