import AsyncHTTPClient
import BulkheadCore
import BulkheadIPC
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
/// States: sent, waiting for the head → head → parts → over (`outcome`). A request that a reused connection lost untouched goes
/// back to the first state once, on a connection of its own.
///
/// At most `heldBytes`, and what one read brings beyond them, wait here: the connection is read on once they were taken, so an
/// upstream is never faster than the caller. One consumer. Whoever does not read to the end calls `cancel`, which closes the
/// connection.
final class UpstreamExchange: HTTPClientResponseDelegate {
    typealias Response = Void

    private struct State {
        var head: HTTPResponseHead?
        var part: ByteBuffer?
        /// `end` or `failed`; stays.
        var outcome: UpstreamEvent?
        var consumer: UnsafeContinuation<UpstreamEvent, Never>?
        var task: HTTPClient.Task<Void>?
        /// Bytes of the body still to come, when the upstream announced them.
        var remaining: Int?
        var connection: PooledConnection?
        /// Kept until it is clear that it is not needed.
        var again: RepeatableRequest?
        var connectTimer: Scheduled<Void>?
        var isCancelled = false
        var isConnected = false
        var isHeld = false
        var wasRepeated = false
    }

    private static let heldBytes = 64 << 10

    private let state = Mutex(State())

    private let client: OutboundClient

    init(_ client: OutboundClient) { self.client = client }

    /// Sends the request, and once more if that is safe and needed.
    /// A body that comes in pieces cannot be sent twice.
    /// - Parameter connectTimeout: until the request's head is sent.
    func start(_ request: OutboundRequest, to origin: Origin, connectTimeout: Duration) {
        let http: HTTPClient.Request
        do {
            http = try request.http(to: origin)
        } catch {
            return conclude(.failed(Self.noURL))
        }
        let bodyBytes: Int? =
            switch request.body {
            case .none: 0
            case .whole(let bytes): bytes.readableBytes
            case .streamed: nil
            }
        if let bodyBytes {
            let again = RepeatableRequest(client, http, bodyBytes: bodyBytes, connectTimeout: connectTimeout)
            state.withLock { $0.again = again }
        }
        start(client.pooled, http, connectTimeout)
    }

    private static let noURL = CallError(
        .invalidArgument, reason: "invalid_request", message: "path and query make no valid URL", notProcessed: true)

    func start(_ http: HTTPClient, _ request: HTTPClient.Request, _ connectTimeout: Duration) {
        let loop = client.eventLoop
        let task = http.execute(request: request, delegate: self, eventLoop: .delegate(on: loop))
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

    /// Whether the request was sent once more.
    var wasRepeated: Bool { state.withLock { $0.wasRepeated } }

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
        guard let (event, held) = state.withLock({ Self.take(&$0) }) else { return nil }
        held?.resume()
        return event
    }

    private static func take(_ state: inout State) -> (event: UpstreamEvent, held: PooledConnection?)? {
        if let head = state.head.take() { return (.head(head), nil) }
        guard let part = state.part.take() else { return state.outcome.map { ($0, nil) } }
        let held = state.isHeld ? state.connection : nil
        state.isHeld = false
        return (.part(part), held)
    }
}

// MARK: told by the HTTP client, on the loop
extension UpstreamExchange {
    func didSendRequestHead(task: HTTPClient.Task<Void>, _ head: HTTPRequestHead) {
        // The client of this task writes and tells in one go, so the connection is the one of this request.
        let connection = client.handover.take()
        connection?.serve(self)
        let timer = state.withLock { state in
            state.isConnected = true
            state.connection = connection
            if connection?.isReused != true { state.again = nil }
            return state.connectTimer.take()
        }
        timer?.cancel()
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) }
        state.withLock { state in
            state.remaining = announced
            state.again = nil
        }
        deliver(.head(head)) { $0.head = head }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    /// Bodies come by `receive`; what came by the client, from a connection that was not handed over, would be a part all the same.
    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        _ = receive(buffer)
        return task.eventLoop.makeSucceededVoidFuture()
    }

    /// The next bytes of the body.
    /// - Returns: false when nothing further should be read until `resume` of the connection.
    func receive(_ bytes: ByteBuffer) -> Bool {
        let (consumer, takesMore) = state.withLock { state -> (UnsafeContinuation<UpstreamEvent, Never>?, Bool) in
            state.remaining = state.remaining.map { $0 - bytes.readableBytes }
            guard state.outcome == nil else { return (nil, true) }
            if let consumer = state.consumer.take() { return (consumer, true) }
            if state.part?.writeImmutableBuffer(bytes) == nil { state.part = bytes }
            state.isHeld = state.part.map { $0.readableBytes >= Self.heldBytes } ?? false
            return (nil, !state.isHeld)
        }
        consumer?.resume(returning: .part(bytes))
        return takesMore
    }

    /// An upstream that answers in full and closes before the client has ended the request has answered all the same.
    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) {
        if let again = takeRepeat(after: error) { return again.start(self) }
        let isWhole = state.withLock { $0.remaining == 0 && !$0.isCancelled }
        conclude(isWhole ? .end : .failed(error))
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws { conclude(.end) }

    /// The request, when a reused connection lost it before the upstream had taken anything of it.
    private func takeRepeat(after error: any Error) -> RepeatableRequest? {
        guard RepeatableRequest.isLostConnection(error) else { return nil }
        return state.withLock { state in
            // Without a connection nothing was written: the pool's one was closed already.
            let isUntouched = state.connection?.isUntouched ?? !state.isConnected
            guard isUntouched, !state.isCancelled, state.outcome == nil, let again = state.again.take() else { return nil }
            state.connection = nil
            state.task = nil
            state.isConnected = false
            state.wasRepeated = true
            return again
        }
    }

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
        let timer = state.withLock { state in
            if state.outcome == nil { state.outcome = outcome }
            state.task = nil
            state.connection = nil
            state.again = nil
            return state.connectTimer.take()
        }
        timer?.cancel()
        deliver(outcome) { _ in }
    }
}

extension OutboundRequest {
    /// As the HTTP client takes it.
    fileprivate func http(to origin: Origin) throws -> HTTPClient.Request {
        let scheme = origin.isTLS ? "https" : "http"
        var request = try HTTPClient.Request(
            url: "\(scheme)://\(origin.authority)\(target.joined)", method: HTTPMethod(rawValue: method))
        for header in headers { request.headers.add(name: header.name, value: header.value.joined) }
        switch body {
        case .none: break
        case .whole(let bytes): request.body = .byteBuffer(bytes)
        case .streamed(let body): request.body = body.body
        }
        return request
    }
}
