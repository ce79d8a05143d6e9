import BulkheadAPI
import BulkheadCoding
import BulkheadCore
import BulkheadIPC
import NIOCore
import NIOHTTP1

/// The way of one response back to its caller: head, body in pieces, trailers; decoded and with the secrets taken out where one was
/// sent. Confined to the task of its call.
final class CallRelay {
    private let destination: Destination
    private let exchange: UpstreamExchange
    private let arrived: MonotonicTime
    private let isHEAD: Bool
    /// nil where no secret was sent: the answer goes on as it is.
    private var cleaner: AnswerCleaner?
    private var decoder: ContentDecoder?
    private let watch: ExchangeWatch?
    private var received = 0
    private var outcome: CallOutcome

    /// - Parameters:
    ///   - needles: of all that was sent and must not come back.
    ///   - isHEAD: whether the request was one, whose answer describes a body that does not come.
    init(
        _ destination: Destination, _ needles: [SecretNeedles], _ exchange: UpstreamExchange, isHEAD: Bool,
        watch: ExchangeWatch? = nil, arrived: MonotonicTime, outcome: CallOutcome
    ) {
        self.watch = watch
        self.destination = destination
        self.exchange = exchange
        self.arrived = arrived
        self.outcome = outcome
        self.isHEAD = isHEAD
        cleaner = needles.isEmpty ? nil : AnswerCleaner(needles)
    }

    /// How the exchange went, up to now.
    var currentOutcome: CallOutcome {
        var outcome = outcome
        outcome.bytes = received
        outcome.address = exchange.address
        outcome.redactions += cleaner?.count ?? 0
        outcome.milliseconds = (MonotonicTime.now() - arrived).nanosecondsClamped / 1_000_000
        return outcome
    }

    /// Passes the response on until its end.
    /// - Parameter first: its first event, when that was waited for already.
    /// - Throws: what went wrong upstream, or that the caller is gone.
    func run(_ replies: TypedWriter<CredentialsAPI.CallReply>, first: UpstreamEvent? = nil) async throws {
        defer { count() }
        try await replies.write(try await begin(first))
        try await body(replies)
        if exchange.wasRepeated { destination.metrics.repeated.add() }
    }

    private func count() {
        if let count = cleaner?.count, count > 0 { destination.metrics.redactions.add(count) }
    }

    private func next() async -> UpstreamEvent {
        watch?.waits(true)
        defer { watch?.waits(false) }
        return await exchange.next()
    }

    /// The first message: the head, and what is there already of the body.
    @inline(never)
    private func begin(_ first: UpstreamEvent?) async throws -> CredentialsAPI.CallReply {
        let event: UpstreamEvent
        if let first { event = first } else { event = await next() }
        let head: HTTPResponseHead
        let reason: String
        switch event {
        case .head(let received, let text): (head, reason) = (received, text)
        case .failed(let error):
            throw OutboundFailure.beforeResponse(error, place: destination.place, wasSent: exchange.wasSent)
        case .part, .end: preconditionFailure("bug: a response begins with its head")
        }
        destination.metrics.firstByte.record(microseconds: (MonotonicTime.now() - arrived).nanosecondsClamped / 1000)
        outcome.status = Int(head.status.code)
        var reply = try reply(head, reason: reason)
        if case .part(let piece)? = exchange.take() { reply.body = try pass(piece) }
        return reply
    }

    /// The head as the caller gets it.
    private func reply(_ head: HTTPResponseHead, reason: String) throws(CallError) -> CredentialsAPI.CallReply {
        let hasNoBody = isHEAD || head.status == .notModified || head.status == .noContent
        // Known before the caller has seen a byte of it.
        if !hasNoBody, let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
            length > destination.configuration.limits.maxResponse
        {
            throw tooLong
        }
        let isCoded = try decode(head, hasNoBody: hasNoBody)
        var headers = HeaderHygiene.incoming(head.headers, keepsLength: cleaner == nil || hasNoBody && !isCoded)
        var reason = reason
        if cleaner != nil {
            if isCoded { headers.removeAll { $0.name == "content-encoding" } }
            headers = cleaner?.clean(headers) ?? []
            reason = cleaner?.clean(reason) ?? ""
        }
        var reply = CredentialsAPI.CallReply(status: Int(head.status.code), headers: headers)
        let isUsual = reason.isEmpty || HTTPResponseStatus(statusCode: Int(head.status.code)).reasonPhrase == reason
        if !isUsual { reply.reason = reason }
        return reply
    }

    /// Makes ready for the body's coding. A coded body could carry a secret past redaction: what cannot be decoded is not passed on.
    /// - Returns: whether the body is coded.
    private func decode(_ head: HTTPResponseHead, hasNoBody: Bool) throws(CallError) -> Bool {
        guard cleaner != nil else { return false }
        let codings = head.headers["content-encoding"]
        if codings.isEmpty { return false }
        if hasNoBody { return true }
        do throws(ContentDecoder.Trouble) {
            decoder = try ContentDecoder(codings, limit: destination.configuration.limits.maxResponse, maxLayers: 2)
        } catch {
            throw told(error)
        }
        return true
    }

    private func told(_ trouble: ContentDecoder.Trouble) -> CallError {
        trouble.callError(place: destination.place, limit: destination.configuration.limits.maxResponse)
    }

    @inline(never)
    private func body(_ replies: TypedWriter<CredentialsAPI.CallReply>) async throws {
        while true {
            switch await next() {
            case .part(let piece):
                let passed = try pass(piece)
                if passed.readableBytes > 0 { try await replies.write(CredentialsAPI.CallReply(body: passed)) }
            case .end(let trailers):
                let last = try last(trailers)
                if last.body != nil || !last.trailers.isEmpty { try await replies.write(last) }
                return
            case .failed(let error): throw OutboundFailure.midResponse(error, place: destination.place)
            case .head: preconditionFailure("bug: a response has one head")
            }
        }
    }

    private var tooLong: CallError {
        let limit = destination.configuration.limits.maxResponse
        return CallError(
            .resourceExhausted, reason: "upstream_error",
            message:
                "the answer of \(destination.place) is larger than the \(limit) bytes that `limits.max_response` of destination "
                + "\(destination.configuration.name) allows")
    }

    /// The piece counted, decoded and cleaned.
    @inline(never)
    private func pass(_ piece: ByteBuffer) throws(CallError) -> ByteBuffer {
        received += piece.readableBytes
        guard received <= destination.configuration.limits.maxResponse else { throw tooLong }
        guard cleaner != nil else { return piece }
        var plain = piece
        if decoder != nil {
            do throws(ContentDecoder.Trouble) { plain = try decoder?.feed(piece) ?? piece } catch { throw told(error) }
        }
        return cleaner?.feed(plain) ?? plain
    }

    /// What is left of the body, and what came behind it.
    private func last(_ trailers: HTTPHeaders?) throws(CallError) -> CredentialsAPI.CallReply {
        let rest = try finish()
        var last = CredentialsAPI.CallReply(body: rest.readableBytes > 0 ? rest : nil)
        guard let trailers, !trailers.isEmpty else { return last }
        let passed = HeaderHygiene.incoming(trailers, keepsLength: false)
        last.trailers = cleaner?.clean(passed) ?? passed
        return last
    }

    private func finish() throws(CallError) -> ByteBuffer {
        do throws(ContentDecoder.Trouble) { try decoder?.finish() } catch { throw told(error) }
        return cleaner?.finish() ?? ByteBuffer()
    }
}
