import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// One admitted call and its exchange with the upstream. Confined to the task of its call.
///
/// A task that waits for an answer keeps the frames of all functions it stands in: what they need is kept here, and what was
/// sent is kept no longer.
final class Exchange {
    let destination: Destination
    private let admitted: AdmittedCall
    private let client: OutboundClient
    private let tokens: OAuthTokens
    private let loop: any EventLoop
    private let arrived: MonotonicTime
    private let connect: Duration
    private let isHEAD: Bool
    private let length: Int?
    private let watch: ExchangeWatch?
    private let current: CurrentUpstream
    /// The bodies of the first messages, until they are sent.
    private var begun: [ByteBuffer]
    /// In use, where the destination's preset is `oauth2`.
    private var token: AccessToken?
    private let begunOutcome: CallOutcome
    private var lastRelay: CallRelay?

    /// Bodies that are signed or changed have to be here as a whole.
    private static let maxWhole = 16 << 20

    init(
        _ first: CredentialsAPI.CallRequest, _ admitted: AdmittedCall, client: OutboundClient, tokens: OAuthTokens,
        loop: any EventLoop, arrived: MonotonicTime, outcome: CallOutcome
    ) {
        destination = admitted.destination
        self.admitted = admitted
        self.client = client
        self.tokens = tokens
        self.loop = loop
        self.arrived = arrived
        let limit = destination.configuration.limits.connect
        connect = min(limit, first.connectTimeoutMS.map { .milliseconds(max(1, $0)) } ?? limit)
        begunOutcome = outcome
        isHEAD = first.method == "HEAD"
        let current = CurrentUpstream()
        self.current = current
        watch = ExchangeWatch(destination, loop: loop) { current.cancel() }
        length = HeaderHygiene.contentLength(first.headers)
        begun = [first.body].compactMap { $0 }
    }

    /// Ends the exchange, from anywhere.
    var cut: @Sendable () -> Void { { [current] in current.cancel() } }

    /// How it went, up to now.
    var outcome: CallOutcome { lastRelay?.currentOutcome ?? begunOutcome }

    func run(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        defer { watch?.end() }
        var isWhole = try await readSecond(requests)
        if !isWhole, admitted.injection?.needsWholeBody == true {
            try await collect(requests)
            isWhole = true
        }
        let current = current
        try await withTaskCancellationHandler {
            // Whoever leaves early closes the connection; after the end this does nothing.
            defer { current.cancel() }
            do {
                if let oauth = admitted.injection?.oauth {
                    token = try await tokens.token(of: oauth, for: destination, by: client)
                }
                guard isWhole else { return try await stream(requests, replies) }
                try await send(replies)
            } catch {
                throw watch?.end() ?? error
            }
        } onCancel: {
            current.cancel()
        }
    }

    /// - Returns: false when there is a second message; more may follow.
    @inline(never)
    private func readSecond(_ requests: TypedReader<CredentialsAPI.CallRequest>) async throws -> Bool {
        guard let second = try await requests.next() else { return true }
        if let body = second.body { begun.append(body) }
        return false
    }

    /// Waits for the whole body.
    @inline(never)
    private func collect(_ requests: TypedReader<CredentialsAPI.CallRequest>) async throws {
        let limit = min(Self.maxWhole, destination.configuration.limits.maxRequest)
        var whole = ByteBuffer()
        func add(_ piece: ByteBuffer) throws(CallError) {
            guard whole.readableBytes + piece.readableBytes <= limit else { throw Self.tooLarge(limit) }
            whole.writeImmutableBuffer(piece)
        }
        for piece in begun { try add(piece) }
        while let message = try await requests.next() {
            if let piece = message.body { try add(piece) }
        }
        begun = [whole]
    }

    private static func tooLarge(_ limit: Int) -> CallError {
        CallError(
            .invalidArgument, reason: "payload_too_large",
            message: "the secret goes into the body or signs it, which may have \(limit) bytes at most then", notProcessed: true)
    }

    private func request(_ body: OutboundBody) throws -> OutboundRequest {
        if admitted.injection?.needsWholeBody == true, case .whole(let bytes) = body, bytes.readableBytes > Self.maxWhole {
            throw Self.tooLarge(Self.maxWhole)
        }
        var request = try admitted.request(body)
        if let token { request.headers.append(token.header) }
        return request
    }

    private func relay(_ upstream: UpstreamExchange) -> CallRelay {
        let needles = [admitted.injection?.needles, token?.needles].compactMap { $0 }
        let relay = CallRelay(
            destination, needles, upstream, isHEAD: isHEAD, watch: watch, arrived: arrived, outcome: begunOutcome)
        lastRelay = relay
        return relay
    }

    // MARK: ways to send

    @inline(never)
    private func start(_ body: OutboundBody) throws -> UpstreamExchange {
        let upstream = UpstreamExchange(client)
        current.begin(upstream)
        upstream.start(try request(body), to: destination.origin, connectTimeout: connect)
        return upstream
    }

    /// Sends a request whose body is here, and relays the answer.
    private func send(_ replies: TypedWriter<CredentialsAPI.CallReply>) async throws {
        if token != nil { return try await sendWithToken(replies) }
        try await relay(try sendWhole()).run(replies)
    }

    @inline(never)
    private func sendWhole() throws -> UpstreamExchange {
        let body = begun.first.map { OutboundBody.whole($0) } ?? .none
        begun = []
        let upstream = try start(body)
        watch?.sent()
        return upstream
    }

    /// The same with an access token; once more with a new one when the upstream refuses it.
    @inline(never)
    private func sendWithToken(_ replies: TypedWriter<CredentialsAPI.CallReply>) async throws {
        let body = begun
        let upstream = try sendWhole()
        watch?.waits(true)
        let first = await upstream.next()
        watch?.waits(false)
        guard try await renews(after: first) else { return try await relay(upstream).run(replies, first: first) }
        upstream.cancel()
        begun = body
        try await relay(try sendWhole()).run(replies)
    }

    /// Whether there is a new token in the place of one that was refused.
    private func renews(after first: UpstreamEvent) async throws -> Bool {
        guard case .head(let head, _) = first, head.status == .unauthorized, let oauth = admitted.injection?.oauth else {
            return false
        }
        guard let next = try await tokens.token(of: oauth, for: destination, by: client, after: token) else { return false }
        token = next
        return true
    }

    /// Sends a request while its body comes, and relays the answer.
    @inline(never)
    private func stream(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let body = StreamedRequestBody(loop: loop, limit: destination.configuration.limits.maxRequest, length: length)
        let upstream = try start(.streamed(body))
        try await withThrowingTaskGroup(of: Void.self) { group in
            let begun = self.begun
            self.begun = []
            group.addTask { [watch] in
                await body.run(begun, requests)
                watch?.sent()
            }
            defer {
                upstream.cancel()
                body.abandon()
                group.cancelAll()
            }
            try await relay(upstream).run(replies)
        }
    }
}
