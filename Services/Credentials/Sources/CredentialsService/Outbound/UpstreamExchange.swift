import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// What comes back from an upstream, in order: head, any number of parts, then end or failure.
enum UpstreamEvent: Sendable {
    case head(HTTPResponseHead)
    case part(ByteBuffer)
    case end
    case failed(any Error)
}

/// One request at an upstream, between the HTTP client's callbacks and the task that serves the call.
///
/// At most one head and one part wait here: the client reads on once the part was taken, so an upstream is never faster than
/// the caller. One consumer. Whoever does not read to the end calls `cancel`, which closes the connection.
final class UpstreamExchange: HTTPClientResponseDelegate {
    typealias Response = Void

    private struct State {
        var head: HTTPResponseHead?
        var part: ByteBuffer?
        /// Kept while `part` waits.
        var taken: EventLoopPromise<Void>?
        /// `end` or `failed`; stays.
        var outcome: UpstreamEvent?
        var consumer: UnsafeContinuation<UpstreamEvent, Never>?
        var task: HTTPClient.Task<Void>?
        /// Bytes of the body still to come, when the upstream announced them.
        var remaining: Int?
        var isCancelled = false
        var isConnected = false
        var connectTimer: Scheduled<Void>?
    }

    private let state = Mutex(State())

    /// Sends the request. - Parameter connectTimeout: until the request's head is sent.
    func start(_ client: HTTPClient, _ request: HTTPClient.Request, loop: any EventLoop, connectTimeout: Duration) {
        let task = client.execute(request: request, delegate: self, eventLoop: .delegate(on: loop))
        let isCancelled = state.withLock { state in
            guard state.outcome == nil else { return false }
            state.task = task
            // With an idle connection the head is sent by now, and no timer is needed.
            if !state.isConnected {
                state.connectTimer = loop.scheduleTask(in: TimeAmount(connectTimeout)) {
                    task.fail(reason: HTTPClientError.connectTimeout)
                }
            }
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    /// Whether the request's head went out: before, the upstream cannot have done anything.
    var wasSent: Bool { state.withLock { $0.isConnected } }

    /// Ends the exchange; without effect when it is over.
    func cancel() {
        let task = state.withLock { state in
            state.isCancelled = true
            return state.outcome == nil ? state.task : nil
        }
        task?.cancel()
    }

    /// The next event. After `end` or `failed` the same again.
    func next() async -> UpstreamEvent {
        if let event = take() { return event }
        return await withUnsafeContinuation { continuation in
            let event = state.withLock { state -> UpstreamEvent? in
                if let event = Self.take(&state)?.event { return event }
                state.consumer = continuation
                return nil
            }
            if let event { continuation.resume(returning: event) }
        }
    }

    /// The next event if it is there already.
    func take() -> UpstreamEvent? {
        guard let (event, taken) = state.withLock({ Self.take(&$0) }) else { return nil }
        taken?.succeed()
        return event
    }

    /// The next part if one is there already; leaves other events.
    func takePart() -> ByteBuffer? {
        let found = state.withLock { state -> (part: ByteBuffer, taken: EventLoopPromise<Void>?)? in
            guard state.head == nil, let part = state.part.take() else { return nil }
            return (part, state.taken.take())
        }
        found?.taken?.succeed()
        return found?.part
    }

    private static func take(_ state: inout State) -> (event: UpstreamEvent, taken: EventLoopPromise<Void>?)? {
        if let head = state.head.take() { return (.head(head), nil) }
        if let part = state.part.take() { return (.part(part), state.taken.take()) }
        return state.outcome.map { ($0, nil) }
    }

    // MARK: HTTPClientResponseDelegate, on the event loop

    func didSendRequestHead(task: HTTPClient.Task<Void>, _ head: HTTPRequestHead) {
        let timer = state.withLock { state in
            state.isConnected = true
            return state.connectTimer.take()
        }
        timer?.cancel()
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) }
        state.withLock { $0.remaining = announced }
        deliver(.head(head)) { $0.head = head }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        var waits: EventLoopPromise<Void>?
        state.withLock { state in state.remaining = state.remaining.map { $0 - buffer.readableBytes } }
        deliver(.part(buffer)) { state in
            let promise = task.eventLoop.makePromise(of: Void.self)
            state.part = buffer
            state.taken = promise
            waits = promise
        }
        return waits?.futureResult ?? task.eventLoop.makeSucceededVoidFuture()
    }

    /// An upstream that answers in full and closes before the client has ended the request has answered all the same.
    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) {
        let isWhole = state.withLock { $0.remaining == 0 && !$0.isCancelled }
        conclude(isWhole ? .end : .failed(error))
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws { conclude(.end) }

    /// Hands the event to the waiting consumer, or keeps it.
    private func deliver(_ event: UpstreamEvent, keep: (inout State) -> Void) {
        let consumer = state.withLock { state -> UnsafeContinuation<UpstreamEvent, Never>? in
            if let consumer = state.consumer.take() { return consumer }
            keep(&state)
            return nil
        }
        consumer?.resume(returning: event)
    }

    private func conclude(_ outcome: UpstreamEvent) {
        let (taken, timer) = state.withLock { state in
            if state.outcome == nil { state.outcome = outcome }
            state.task = nil
            return (state.taken.take(), state.connectTimer.take())
        }
        timer?.cancel()
        taken?.succeed()
        deliver(outcome) { _ in }
    }
}
