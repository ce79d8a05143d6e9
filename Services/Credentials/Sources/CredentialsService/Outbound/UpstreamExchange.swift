import BulkheadCore
import BulkheadIPC
import NIOCore
import NIOHTTP1
import Synchronization

/// What comes back from an upstream, in order: head, any number of parts, then end or failure.
package enum UpstreamEvent: Sendable {
    /// With the status text as it came; empty over HTTP/2, which has none.
    case head(HTTPResponseHead, reason: String)
    case part(ByteBuffer)
    /// With the trailers, if any.
    case end(HTTPHeaders?)
    case failed(any Error)
}

/// One request at an upstream, between its line and the task that serves the call.
///
/// States: waiting for a connection → sent → head → parts → over (`outcome`). A request that a kept connection lost untouched
/// goes back to the first state once, on a connection of its own.
///
/// At most `heldBytes`, and what one read brings beyond them, wait here: the connection is read on once they were taken, so an
/// upstream is never faster than the caller. One consumer. Whoever does not read to the end calls `cancel`, which closes the
/// connection.
package final class UpstreamExchange: Sendable {
    private struct State {
        var head: (HTTPResponseHead, reason: String)?
        var part: ByteBuffer?
        /// `end` or `failed`; stays.
        var outcome: UpstreamEvent?
        var consumer: UnsafeContinuation<UpstreamEvent, Never>?
        var line: (any RequestLine)?
        /// Kept until it is clear that it is not needed.
        var again: OutboundOrder?
        var connectTimer: Scheduled<Void>?
        var isConnected = false
        var isHeld = false
        var wasRepeated = false
        var address = ""
    }

    private static let heldBytes = 64 << 10

    private let state = Mutex(State())
    private let client: OutboundClient

    /// One request; `start` sends it.
    package init(_ client: OutboundClient) { self.client = client }

    /// Sends the request, and once more if that is safe and needed.
    /// - Parameter connectTimeout: until the request's head is sent: name, connection, proxy and TLS.
    package func start(_ request: OutboundRequest, to origin: Origin, connectTimeout: Duration) {
        let order = OutboundOrder(request: request, origin: origin, connectTimeout: connectTimeout)
        if order.isRepeatable { state.withLock { $0.again = order } }
        onLoop { $0.client.connections.serve($0, order) }
    }

    private func onLoop(_ work: @escaping @Sendable (UpstreamExchange) -> Void) {
        if client.eventLoop.inEventLoop { work(self) } else { client.eventLoop.execute { work(self) } }
    }

    /// Whether the request's head went out: before, the upstream cannot have done anything.
    package var wasSent: Bool { state.withLock { $0.isConnected } }

    /// The address that the request's head went to, or its proxy's; empty before.
    package var address: String { state.withLock { $0.address } }

    /// Whether the request was sent once more.
    package var wasRepeated: Bool { state.withLock { $0.wasRepeated } }

    /// Ends the exchange; without effect when it is over.
    package func cancel() {
        let isOver = state.withLock { $0.outcome != nil }
        if !isOver { onLoop { $0.giveUp(UpstreamFault.cancelled) } }
    }

    /// The next event. After `end` or `failed` the same again.
    package func next() async -> UpstreamEvent {
        if let event = take() { return event }
        return await withUnsafeContinuation { continuation in
            let taken = state.withLock { state -> (event: UpstreamEvent, held: (any RequestLine)?)? in
                if let taken = Self.take(&state) { return taken }
                state.consumer = continuation
                return nil
            }
            guard let (event, held) = taken else { return }
            if let held { onLoop { _ in held.resume() } }
            continuation.resume(returning: event)
        }
    }

    /// The next event if it is there already.
    package func take() -> UpstreamEvent? {
        guard let (event, held) = state.withLock({ Self.take(&$0) }) else { return nil }
        if let held { onLoop { _ in held.resume() } }
        return event
    }

    private static func take(_ state: inout State) -> (event: UpstreamEvent, held: (any RequestLine)?)? {
        if let head = state.head.take() { return (.head(head.0, reason: head.reason), nil) }
        guard let part = state.part.take() else { return state.outcome.map { ($0, nil) } }
        let held = state.isHeld ? state.line : nil
        state.isHeld = false
        return (.part(part), held)
    }
}

// MARK: told by connections, on the loop
extension UpstreamExchange {
    /// Whether nothing is to be sent any more.
    var isOver: Bool { state.withLock { $0.outcome != nil } }

    /// No connection is there at once.
    func waits(_ timeout: Duration) {
        let timer = client.eventLoop.scheduleTask(in: TimeAmount(timeout)) { self.giveUp(UpstreamFault.connectTimeout) }
        state.withLock { $0.connectTimer = timer }
    }

    /// The request's head is being written.
    /// - Parameters:
    ///   - isReused: whether the connection served a request before.
    ///   - address: the connection's other end.
    func begins(on line: any RequestLine, isReused: Bool, at address: String) {
        let timer = state.withLock { state in
            state.isConnected = true
            state.line = line
            state.address = address
            if !isReused { state.again = nil }
            return state.connectTimer.take()
        }
        timer?.cancel()
    }

    func receive(_ head: HTTPResponseHead, reason: String) {
        let consumer = state.withLock { state -> UnsafeContinuation<UpstreamEvent, Never>? in
            state.again = nil
            guard state.outcome == nil else { return nil }
            if let consumer = state.consumer.take() { return consumer }
            state.head = (head, reason)
            return nil
        }
        consumer?.resume(returning: .head(head, reason: reason))
    }

    /// The next bytes of the body.
    /// - Returns: false when nothing further should be read until `resume` of the line.
    func receive(_ bytes: ByteBuffer) -> Bool {
        let (consumer, takesMore) = state.withLock { state -> (UnsafeContinuation<UpstreamEvent, Never>?, Bool) in
            guard state.outcome == nil else { return (nil, true) }
            if let consumer = state.consumer.take() { return (consumer, true) }
            if state.part?.writeImmutableBuffer(bytes) == nil { state.part = bytes }
            state.isHeld = state.part.map { $0.readableBytes >= Self.heldBytes } ?? false
            return (nil, !state.isHeld)
        }
        consumer?.resume(returning: .part(bytes))
        return takesMore
    }

    func finish(_ trailers: HTTPHeaders?) { conclude(.end(trailers)) }

    /// The line is gone.
    /// - Parameter isUntouched: whether the upstream cannot have taken anything of the request.
    func fail(_ error: any Error, isUntouched: Bool = false) {
        let again = state.withLock { state -> OutboundOrder? in
            state.line = nil
            guard isUntouched, state.isConnected, state.outcome == nil, OutboundFailure.isLostConnection(error) else {
                return nil
            }
            guard let again = state.again.take() else { return nil }
            state.isConnected = false
            state.wasRepeated = true
            return again
        }
        guard var again else { return conclude(.failed(error)) }
        again.isRepeat = true
        client.connections.serve(self, again)
    }

    /// A connection could not take the request after all; nothing of it was sent.
    func sendAgain(_ order: OutboundOrder) {
        guard !order.isRepeat else { return fail(UpstreamFault.closed) }
        var order = order
        order.isRepeat = true
        client.connections.serve(self, order)
    }

    /// This side ends it: a caller that is gone, a body that is not as announced, a time that is over.
    func giveUp(_ error: any Error) {
        let line = state.withLock { $0.line.take() }
        conclude(.failed(error))
        if let line { line.abandon() } else { client.connections.forget(self) }
    }

    private func conclude(_ outcome: UpstreamEvent) {
        let (timer, consumer) = state.withLock { state in
            if state.outcome == nil { state.outcome = outcome }
            state.line = nil
            state.again = nil
            // Someone who waits has taken all that came before.
            return (state.connectTimer.take(), state.consumer.take())
        }
        timer?.cancel()
        consumer?.resume(returning: outcome)
    }
}
