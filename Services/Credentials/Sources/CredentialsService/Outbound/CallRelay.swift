import AsyncHTTPClient
import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore
import NIOHTTP1

/// The way of one response back to its caller: head, body in pieces, the secret taken out. Confined to the task of its call.
final class CallRelay {
    let destination: Destination
    let exchange: UpstreamExchange
    let arrived: MonotonicTime
    private let needles: SecretNeedles?
    private var redactor: StreamRedactor?
    private let watch: ExchangeWatch?
    private var received = 0
    private var outcome: CallOutcome

    init(
        _ destination: Destination, _ injection: Injection?, _ exchange: UpstreamExchange, watch: ExchangeWatch? = nil,
        arrived: MonotonicTime, outcome: CallOutcome
    ) {
        self.watch = watch
        self.destination = destination
        self.exchange = exchange
        self.arrived = arrived
        self.outcome = outcome
        needles = injection?.needles
        redactor = needles.map { StreamRedactor($0) }
    }

    /// How the exchange went, up to now.
    var currentOutcome: CallOutcome {
        var outcome = outcome
        outcome.bytes = received
        outcome.redactions += redactor?.count ?? 0
        outcome.milliseconds = (MonotonicTime.now() - arrived).nanosecondsClamped / 1_000_000
        return outcome
    }

    /// Passes the response on until its end.
    /// - Throws: what went wrong upstream, or that the caller is gone.
    func run(_ replies: TypedWriter<CredentialsAPI.CallReply>) async throws {
        try await replies.write(try await begin())
        try await body(replies)
        if exchange.wasRepeated { destination.metrics.repeated.add() }
        if let redactor, redactor.count > 0 { destination.metrics.redactions.add(redactor.count) }
    }

    private func next() async -> UpstreamEvent {
        watch?.waits(true)
        defer { watch?.waits(false) }
        return await exchange.next()
    }

    /// The first message: the head, and what is there already of the body.
    @inline(never)
    private func begin() async throws -> CredentialsAPI.CallReply {
        let head: HTTPResponseHead
        switch await next() {
        case .head(let received): head = received
        case .failed(let error):
            throw OutboundFailure.beforeResponse(error, place: destination.place, wasSent: exchange.wasSent)
        case .part, .end: preconditionFailure("bug: a response begins with its head")
        }
        destination.metrics.firstByte.record(microseconds: (MonotonicTime.now() - arrived).nanosecondsClamped / 1000)
        outcome.status = Int(head.status.code)
        try refuseCoded(head)
        var reply = CredentialsAPI.CallReply(status: Int(head.status.code), headers: clean(head))
        if case .part(let piece)? = exchange.take() { reply.body = try pass(piece) }
        return reply
    }

    @inline(never)
    private func body(_ replies: TypedWriter<CredentialsAPI.CallReply>) async throws {
        while true {
            switch await next() {
            case .part(let piece):
                let passed = try pass(piece)
                if passed.readableBytes > 0 { try await replies.write(CredentialsAPI.CallReply(body: passed)) }
            case .end:
                if let rest = redactor?.finish(), rest.readableBytes > 0 {
                    try await replies.write(CredentialsAPI.CallReply(body: rest))
                }
                return
            case .failed(let error): throw OutboundFailure.midResponse(error, place: destination.place)
            case .head: preconditionFailure("bug: a response has one head")
            }
        }
    }

    /// The piece counted and cleaned.
    @inline(never)
    private func pass(_ piece: ByteBuffer) throws(CallError) -> ByteBuffer {
        received += piece.readableBytes
        guard received <= destination.configuration.limits.maxResponse else {
            throw CallError(
                .dataLoss, reason: "stream_broken",
                message:
                    "the answer of \(destination.place) is larger than the \(destination.configuration.limits.maxResponse) bytes that "
                    + "`limits.max_response` of destination \(destination.configuration.name) allows")
        }
        return redactor?.feed(piece) ?? piece
    }

    /// A coded body could carry the secret past redaction. It was asked for `identity`; what comes anyway is not passed on.
    private func refuseCoded(_ head: HTTPResponseHead) throws(CallError) {
        guard needles != nil, let coding = head.headers.first(name: "content-encoding")?.lowercased(), coding != "identity",
            !coding.isEmpty
        else { return }
        throw CallError(
            .unavailable, reason: "upstream_error",
            message:
                "\(destination.place) answered in a content coding that was not asked for, so the answer cannot be checked for the secret"
        )
    }

    private func clean(_ head: HTTPResponseHead) -> [CredentialsAPI.Header] {
        var headers = HeaderHygiene.incoming(head.headers, keepsLength: needles == nil)
        guard let needles else { return headers }
        for index in headers.indices {
            let (text, count) = needles.redact(headers[index].value)
            guard count > 0 else { continue }
            headers[index].value = text
            outcome.redactions += count
            destination.metrics.redactions.add(count)
        }
        return headers
    }
}
