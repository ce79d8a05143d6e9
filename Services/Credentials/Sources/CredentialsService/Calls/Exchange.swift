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
    private let loop: any EventLoop
    private let connect: Duration
    private let upstream: UpstreamExchange
    private let relay: CallRelay
    private let length: Int?
    private let watch: ExchangeWatch?
    /// The bodies of the first messages, until they are sent.
    private var begun: [ByteBuffer]

    init(
        _ first: CredentialsAPI.CallRequest, _ admitted: AdmittedCall, client: OutboundClient, loop: any EventLoop,
        arrived: MonotonicTime, outcome: CallOutcome
    ) {
        destination = admitted.destination
        self.admitted = admitted
        self.loop = loop
        upstream = UpstreamExchange(client)
        let limit = destination.configuration.limits.connect
        connect = min(limit, first.connectTimeoutMS.map { .milliseconds(max(1, $0)) } ?? limit)
        watch = ExchangeWatch(destination, upstream, loop: loop)
        relay = CallRelay(destination, admitted.injection, upstream, watch: watch, arrived: arrived, outcome: outcome)
        length = HeaderHygiene.contentLength(first.headers)
        begun = [first.body].compactMap { $0 }
    }

    /// Ends the exchange, from anywhere.
    var cut: @Sendable () -> Void { { [upstream] in upstream.cancel() } }

    /// How it went, up to now.
    var outcome: CallOutcome { relay.currentOutcome }

    func run(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        defer { watch?.end() }
        let isWhole = try await readSecond(requests)
        let upstream = upstream
        try await withTaskCancellationHandler {
            // Whoever leaves early closes the connection; after the end this does nothing.
            defer { upstream.cancel() }
            do {
                guard isWhole else { return try await stream(requests, replies) }
                try send()
                try await relay.run(replies)
            } catch {
                throw watch?.end() ?? error
            }
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
        let request = try admitted.request(body.map { .whole($0) } ?? .none)
        upstream.start(request, to: destination.origin, connectTimeout: connect)
        watch?.sent()
    }

    /// Sends a request while its body comes, and relays the answer.
    @inline(never)
    private func stream(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let body = StreamedRequestBody(loop: loop, limit: destination.configuration.limits.maxRequest, length: length)
        upstream.start(try admitted.request(.streamed(body)), to: destination.origin, connectTimeout: connect)
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
            try await relay.run(replies)
        }
    }
}
