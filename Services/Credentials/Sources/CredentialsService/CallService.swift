import AsyncHTTPClient
import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore
import NIOHTTP1
import Synchronization

/// What a call needs to know at the moment it begins.
package struct CallSurroundings: Sendable {
    /// Destinations with their secrets.
    package var table: DestinationTable
    /// The way out.
    package var client: OutboundClient

    /// Table and client of a moment.
    package init(table: DestinationTable, client: OutboundClient) {
        self.table = table
        self.client = client
    }
}

/// Serves `Credentials.Call`: decide, record, inject, exchange, clean.
package final class CallService: CredentialsHandler {
    private let surroundings: Mutex<CallSurroundings>
    private let audit: AuditTrail

    /// A service that records its decisions in `audit`.
    package init(_ surroundings: CallSurroundings, audit: AuditTrail) {
        self.surroundings = Mutex(surroundings)
        self.audit = audit
    }

    /// What calls begin with from now on.
    var current: CallSurroundings { surroundings.withLock { $0 } }

    /// Calls that begin from now on see the new table and client; those under way keep theirs.
    func replace(_ change: (inout CallSurroundings) -> Void) { surroundings.withLock { change(&$0) } }

    package func call(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ call: ServerCall, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        do {
            try await serve(requests, call, replies)
        } catch let error as CallError where error.notProcessed {
            // Said here only while nothing has gone out.
            throw Refusal(error)
        }
    }

    private func serve(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ call: ServerCall, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let arrived = MonotonicTime.now()
        guard let first = try await requests.next() else { throw Self.nothing }
        try await serve(try exchange(first, call, arrived), requests, replies)
    }

    private static let nothing = CallError(
        .invalidArgument, reason: "invalid_request", message: "the call ended before its first message", notProcessed: true)

    @inline(never)
    private func exchange(
        _ first: CredentialsAPI.CallRequest, _ call: ServerCall, _ arrived: MonotonicTime
    ) throws -> Exchange {
        let current = current
        let admitted = try admit(first, call, current.table)
        return Exchange(first, admitted, client: current.client, loop: call.eventLoop, arrived: arrived)
    }

    @inline(never)
    private func serve(
        _ exchange: Exchange, _ requests: TypedReader<CredentialsAPI.CallRequest>,
        _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let metrics = exchange.destination.metrics
        metrics.inFlight.add(1)
        defer { metrics.inFlight.add(-1) }
        do {
            try await exchange.run(requests, replies)
            metrics.answered.add()
        } catch {
            metrics.failed.add()
            throw error
        }
    }

    /// Decides, and puts the decision on record before anything goes out.
    private func admit(
        _ request: CredentialsAPI.CallRequest, _ call: ServerCall, _ table: DestinationTable
    ) throws(CallError) -> AdmittedCall {
        let name = request.destination ?? ""
        var event = AuditEvent(
            "call", "allow", peer: call.peer, destination: DestinationConfiguration.isName(name) ? name : "?",
            method: request.method.flatMap { HeaderSyntax.isMethod($0) ? $0 : nil } ?? "", request: call.metadata.requestID,
            tenant: call.metadata.tenant)
        do throws(CallError) {
            let destination = try table.find(name)
            event.secret = destination.configuration.secret ?? ""
            let admitted = try AdmittedCall(request, destination, peer: call.peer)
            try audit.record(event)
            return admitted
        } catch {
            guard error.reason != "credentials_unavailable" else { throw error }
            event.decision = "deny"
            event.reason = error.reason
            try audit.record(event)
            throw error
        }
    }
}

/// One admitted call and its exchange with the upstream. Confined to the task of its call.
///
/// A task that waits for an answer keeps the frames of all functions it stands in: what they need is kept here, and what was
/// sent is kept no longer.
private final class Exchange {
    let destination: Destination
    private let admitted: AdmittedCall
    private let loop: any EventLoop
    private let connect: Duration
    private let upstream: UpstreamExchange
    private let relay: CallRelay
    private let length: Int?
    /// The bodies of the first messages, until they are sent.
    private var begun: [ByteBuffer]

    init(
        _ first: CredentialsAPI.CallRequest, _ admitted: AdmittedCall, client: OutboundClient, loop: any EventLoop,
        arrived: MonotonicTime
    ) {
        destination = admitted.destination
        self.admitted = admitted
        self.loop = loop
        upstream = UpstreamExchange(client)
        let limit = destination.configuration.limits.connect
        connect = min(limit, first.connectTimeoutMS.map { .milliseconds(max(1, $0)) } ?? limit)
        relay = CallRelay(destination, admitted.injection, upstream, arrived: arrived)
        length = HeaderHygiene.contentLength(first.headers)
        begun = [first.body].compactMap { $0 }
    }

    func run(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let isWhole = try await readSecond(requests)
        let upstream = upstream
        try await withTaskCancellationHandler {
            // Whoever leaves early closes the connection; after the end this does nothing.
            defer { upstream.cancel() }
            guard isWhole else { return try await stream(requests, replies) }
            try send()
            try await relay.run(replies)
        } onCancel: {
            upstream.cancel()
        }
    }

    /// - Returns: false when there is a second message; more may follow.
    @inline(never)
    private func readSecond(_ requests: TypedReader<CredentialsAPI.CallRequest>) async throws -> Bool {
        guard let second = try await requests.next() else { return true }
        if let body = second.body { begun.append(body) }
        return false
    }

    /// Sends a request whose body is here.
    @inline(never)
    private func send() throws {
        let body = begun.first
        begun = []
        let request = try admitted.request(body.map { .byteBuffer($0) })
        upstream.start(request, bodyBytes: body?.readableBytes ?? 0, connectTimeout: connect)
    }

    /// Sends a request while its body comes, and relays the answer.
    @inline(never)
    private func stream(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let body = StreamedRequestBody(loop: loop, limit: destination.configuration.limits.maxRequest, length: length)
        upstream.start(try admitted.request(body.body), bodyBytes: nil, connectTimeout: connect)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let begun = self.begun
            self.begun = []
            group.addTask { await body.run(begun, requests) }
            defer {
                upstream.cancel()
                body.abandon()
                group.cancelAll()
            }
            try await relay.run(replies)
        }
    }
}

/// A call that passed the policy, ready to go out.
struct AdmittedCall: Sendable {
    let destination: Destination
    /// nil when the destination has no secret.
    let injection: Injection?
    private let method: HTTPMethod
    private let url: String
    private let hasQuery: Bool
    private let headers: HTTPHeaders

    /// - Throws: why the call may not be made, or not now.
    init(_ request: CredentialsAPI.CallRequest, _ destination: Destination, peer: String) throws(CallError) {
        let target = try destination.target(of: request, peer: peer)
        let injection = try Self.injection(destination)
        try Self.checkBounds(request, destination)
        var headers = try HeaderHygiene.outgoing(request.headers, own: injection?.header)
        var query = target.query
        if let injection {
            injection.apply(to: &headers)
            query = try injection.apply(to: query)
        }
        self.destination = destination
        self.injection = injection
        self.headers = headers
        method = HTTPMethod(rawValue: target.method)
        hasQuery = query != nil
        url = query.map { "\(target.url)?\($0)" } ?? target.url
    }

    /// The request for the HTTP client.
    func request(_ body: HTTPClient.Body?) throws(CallError) -> HTTPClient.Request {
        do {
            var request = try destination.forms.form(method, url, hasQuery: hasQuery)
            request.headers = headers
            request.body = body
            return request
        } catch {
            throw CallError(
                .invalidArgument, reason: "invalid_request", message: "path and query make no valid URL", notProcessed: true)
        }
    }

    private static func injection(_ destination: Destination) throws(CallError) -> Injection? {
        switch destination.secret {
        case .none: return nil
        case .ready(let injection): return injection
        case .unusable(let error):
            destination.metrics.refused.add()
            throw error
        }
    }

    private static func checkBounds(_ request: CredentialsAPI.CallRequest, _ destination: Destination) throws(CallError) {
        let limits = destination.configuration.limits
        if let bytes = request.body?.readableBytes, bytes > limits.maxRequest {
            throw StreamedRequestBody.tooLarge(limits.maxRequest)
        }
        guard destination.metrics.inFlight.value < limits.concurrency else {
            throw CallError(
                .resourceExhausted, reason: "rate_limited",
                message: "destination \(destination.configuration.name) has \(limits.concurrency) exchanges under way, its limit",
                retryAfter: .seconds(1), notProcessed: true)
        }
    }
}
