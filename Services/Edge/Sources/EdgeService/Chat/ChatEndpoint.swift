import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import BulkheadServiceKit
import HTTPTypes
import NIOCore

/// What every endpoint works with.
struct EdgeServices: Sendable {
    let peers: EdgePeers
    let admission: Admission
    let patience: LimitPatience
    let gate: RequestGate
    let settlement: Settlement
    let claims: HeldClaims
    let archive: StreamArchive
    let settings: EdgeSettings
    let metrics: EdgeMetrics
    let destinations: DestinationDirectory
}

/// Answers chat in one dialect: body → canonical request → admission → router → answer → settlement.
struct ChatEndpoint: Sendable {
    /// How long a stream may be silent before the client gets a sign of life.
    private static let keepAlive = TimeAmount.seconds(15)
    /// How long a client may take to read the end of an answer whose deadline has passed.
    private static let lastWords = Duration.seconds(10)

    let route: String
    let dialect: any ChatDialect
    let services: EdgeServices

    func serve(_ exchange: Exchange) async throws {
        guard let run = try await admitted(exchange) else { return }
        if run.call.chat.stream { try await run.stream(keepAlive: Self.keepAlive) } else { try await run.whole() }
    }

    /// Reads the request and has it admitted. - Returns: nil when the answer of an earlier request was given again.
    ///
    /// Not inlined: what it needs on the way would stay with the task for as long as a stream lasts.
    @inline(never)
    private func admitted(_ exchange: Exchange) async throws -> ChatRun? {
        // Nobody without a key makes edge read and parse a body.
        try services.admission.requireKey(exchange.request.headers)
        let (call, body): (ChatCall, ByteBuffer)
        do { (call, body) = try await read(exchange) } catch { throw await services.admission.verdict(on: error, exchange) }
        exchange.event.alias = call.chat.model
        exchange.event.streamed = call.chat.stream
        let question = AdmissionRequest(
            route: route, method: exchange.request.method.rawValue, model: call.chat.model,
            estimatedTokens: call.estimatedTokens(bodyBytes: body.readableBytes), assumedTokens: call.assumedTokens,
            estimatedOutput: call.estimatedOutput, body: body, target: exchange.request.target,
            weight: max(1, call.chat.choices ?? 1), endUser: call.chat.endUser, streams: call.chat.stream,
            likeness: Likeness.of(call.chat))
        switch try await services.patience.admit(question, exchange, timeout: call.options.timeout) {
        case .replay(let stored, let caller):
            exchange.identify(caller, endUser: call.chat.endUser)
            try await exchange.replay(stored, caller)
            return nil
        case .attach(let place, let caller):
            exchange.identify(caller, endUser: call.chat.endUser)
            try await attach(exchange, call, caller, place)
            return nil
        case .run(let caller):
            exchange.identify(caller, endUser: call.chat.endUser)
            limitTime(exchange, call)
            return ChatRun(endpoint: self, exchange: exchange, call: call, caller: caller)
        }
    }
}

extension ChatEndpoint {
    /// - Returns: when the request must be done.
    @discardableResult
    private func limitTime(_ exchange: Exchange, _ call: ChatCall) -> MonotonicTime {
        let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: call.options.timeout)
        exchange.connection.close(after: deadline - .now() + Self.lastWords)
        return deadline
    }

    @inline(never)
    private func attach(_ exchange: Exchange, _ call: ChatCall, _ caller: Caller, _ place: StreamReplay.Place) async throws {
        let deadline = limitTime(exchange, call)
        let words = dialect.stream(call, requestID: exchange.scope.id)
        try await StreamReplay(services, exchange, caller, place, words).run(deadline: deadline, keepAlive: Self.keepAlive)
    }

    @inline(never)
    private func read(_ exchange: Exchange) async throws -> (ChatCall, ByteBuffer) {
        let body = try await exchange.body.readDecoded(limit: services.settings.current.maxJSON, exchange.reply)
        var call = try dialect.decode(try RequestJSON.parse(body))
        call.apply(exchange.request.headers)
        call.bodyBytes = body.readableBytes
        return (call, body)
    }
}

/// One admitted chat. Confined to the task of its connection.
///
/// A task that waits keeps the frames of all functions it stands in: what the answer came to so far is kept in the object, and
/// what is done between two waits in functions that are not inlined.
final class ChatRun {
    let endpoint: ChatEndpoint
    let exchange: Exchange
    let call: ChatCall
    let caller: Caller
    private var facts = AnswerFacts()
    private let recorder: StreamRecorder?

    init(endpoint: ChatEndpoint, exchange: Exchange, call: ChatCall, caller: Caller) {
        self.endpoint = endpoint
        self.exchange = exchange
        self.call = call
        self.caller = caller
        let isKept = caller.isIdempotent && !caller.streamID.isEmpty
        recorder = isKept ? StreamRecorder(caller, endpoint.services.archive) : nil
    }

    private var services: EdgeServices { endpoint.services }
    private var dialect: any ChatDialect { endpoint.dialect }

    /// Answers in one piece.
    @inline(never)
    func whole() async throws {
        do {
            try await services.dispatch(exchange, caller, outlives: call.options.outlivesClient)
            let answer = try await collect()
            Failpoint.pass("edge.answered")
            facts.note(answer, caller)
            let reply = reply(answer, facts)
            guard await settle(.keep(ClaimFate.stored(reply)), status: reply.status) else { throw IdempotencyRefusal.running() }
            try await exchange.reply.send(reply)
        } catch {
            throw await failed(error)
        }
    }

    /// Answers as a stream. Its head waits for the router's first word, so that a failure before it has a status of its own;
    /// a failure after it is the dialect's error event, and the success terminator stays away.
    @inline(never)
    func stream(keepAlive: TimeAmount) async throws {
        let events = EventWriter(dialect.stream(call, requestID: exchange.scope.id))
        do {
            try await services.dispatch(exchange, caller, outlives: call.options.outlivesClient)
            try await pump(events, keepAlive)
            try await conclude(events)
        } catch {
            try await breakOff(events, error)
        }
    }

    /// The writer of a streamed answer, behind a reference.
    private final class EventWriter {
        var stream: any ChatStream

        init(_ stream: any ChatStream) { self.stream = stream }
    }

    @inline(never)
    private func conclude(_ events: EventWriter) async throws {
        var end = ByteBuffer()
        try events.stream.finish(facts, into: &end)
        end = recorded(end)
        exchange.connection.endKeepAlive()
        Failpoint.pass("edge.answered")
        await settle(streamFate(isIncomplete: false))
        try await exchange.reply.finish(end)
    }

    @inline(never)
    private func breakOff(_ events: EventWriter, _ error: any Error) async throws {
        exchange.connection.endKeepAlive()
        facts.estimateUsage(bodyBytes: call.bodyBytes)
        let failure = exchange.translate(error, from: .router)
        var end = ByteBuffer()
        if exchange.reply.status != nil {
            // Also for nobody: who asks again is to see how the stream ended.
            events.stream.fail(failure as? EdgeError ?? IdempotencyRefusal.cancelled, into: &end)
            end = recorded(end)
        }
        await settle(failure: failure)
        guard exchange.reply.status != nil, let told = failure as? EdgeError else { throw failure }
        exchange.event.errorCode = told.code
        // The head said 200 before it was known.
        exchange.event.status = told.status
        try await exchange.reply.finish(end)
    }

    private var request: RouterAPI.CompleteRequest {
        let retries = exchange.request.headers[.clientRetryCount].flatMap { Int($0) } ?? 0
        return RouterAPI.CompleteRequest(chat: call.chat, cache: call.options.cache, clientRetries: min(max(0, retries), 100))
    }

    @inline(never)
    private func options() -> CallOptions {
        let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: call.options.timeout)
        return services.peers.routerOptions(exchange.metadata, deadline: deadline)
    }

    @inline(never)
    private func collect() async throws -> CollectedAnswer {
        facts.overheadMilliseconds = exchange.milliseconds
        var lastReply = MonotonicTime.now()
        let answer = try await services.peers.router.complete(request, options()) { reader in
            var answer = CollectedAnswer()
            while let reply = try await reader.next() {
                lastReply = .now()
                for event in reply.events {
                    answer.add(event)
                    count(event)
                }
            }
            return answer
        }
        facts.overheadMilliseconds += (MonotonicTime.now() - lastReply).milliseconds
        guard answer.isComplete(count: call.chat.choices ?? 1) else {
            throw EdgeError(
                .badGateway, code: "stream_broken", message: "The answer broke off before it was complete. Try again.")
        }
        return answer
    }

    /// What a dialect has no word for is seen by the operator.
    private func count(_ event: ChatAPI.ChatEvent) {
        if FinishWord.unknown(event) != nil { services.metrics.unknownFinishes.add() }
    }

    private func reply(_ answer: CollectedAnswer, _ facts: AnswerFacts) -> WholeReply {
        var fields = AnswerFields.whole(facts)
        AnswerFields.addLimits(caller.limits, exchange.shape, to: &fields)
        return WholeReply(
            status: 200, fields: fields, body: dialect.encode(answer, to: call, facts, requestID: exchange.scope.id))
    }

    @inline(never)
    private func pump(_ events: EventWriter, _ keepAlive: TimeAmount) async throws {
        let before = exchange.milliseconds
        try await services.peers.router.complete(request, options()) { reader in
            while let reply = try await reader.next() {
                let arrived = MonotonicTime.now()
                let bytes = recorded(try written(reply, events))
                if exchange.reply.status == nil {
                    facts.overheadMilliseconds = before + (MonotonicTime.now() - arrived).milliseconds
                    // With the first token, which so does not wait for a write of its own.
                    try await begin(first: bytes)
                    exchange.reply.beginKeepAlive(events.stream.keepAlive, every: keepAlive)
                } else {
                    try await exchange.reply.write(bytes)
                }
            }
        }
        guard exchange.reply.status == nil else { return }
        throw EdgeError(.badGateway, code: "stream_broken", message: "The answer ended before it began. Try again.")
    }

    /// A reply's events as the client is to see them.
    @inline(never)
    private func written(_ reply: RouterAPI.CompleteReply, _ events: EventWriter) throws -> ByteBuffer {
        var bytes = ReplyWriter.emptyPiece()
        for event in reply.events {
            facts.note(event, caller)
            count(event)
            try events.stream.write(event, into: &bytes)
        }
        if bytes.readableBytes > 0, exchange.event.firstTokenUS == nil { exchange.event.firstTokenUS = exchange.microseconds }
        return bytes
    }

    @inline(never)
    private func begin(first: ByteBuffer) async throws {
        try await exchange.reply.begin(200, contentType: Self.eventStream, fields: streamFields, first: first)
    }

    private static let eventStream = "text/event-stream; charset=utf-8"

    private var streamFields: HTTPFields {
        var fields = AnswerFields.served(facts)
        AnswerFields.addLimits(caller.limits, exchange.shape, to: &fields)
        // Proxies such as nginx hold a stream back without this.
        fields[.accelBuffering] = "no"
        return fields
    }

    /// What to tell the client about a failure; settles it.
    @inline(never)
    private func failed(_ error: any Error) async -> any Error {
        let failure = exchange.translate(error, from: .router)
        await settle(failure: failure)
        return failure
    }

    @inline(never)
    private func settle(failure: any Error) async {
        if let upstream = (failure as? EdgeError)?.upstream { facts.note(upstream) }
        exchange.note(facts)
        let hasBegun = exchange.reply.status != nil
        let fate = hasBegun && !exchange.hasLostClaim ? streamFate(isIncomplete: true) : ClaimFate.after(failure, exchange)
        if failure is ClientLeft, facts.usage?.estimated ?? true, exchange.settlesNow() {
            (exchange.leaver, exchange.leaverFate) = (caller, fate)
            return
        }
        await settle(fate, status: hasBegun ? nil : (failure as? EdgeError)?.status)
    }

    // MARK: the Idempotency-Key

    /// Events as the client is sent them: with ids when they are kept.
    private func recorded(_ events: ByteBuffer) -> ByteBuffer { recorder?.stamp(events) ?? events }

    private func streamFate(isIncomplete: Bool) -> ClaimFate {
        guard let recorder else { return caller.isIdempotent ? .unknown : .release }
        let head = SessionAPI.StoredAnswer(
            status: 200, contentType: Self.eventStream, headers: ClaimFate.headers(streamFields))
        return .keepStream(recorder, head: head, isIncomplete: isIncomplete)
    }

    @discardableResult
    private func settle(_ fate: ClaimFate, status: Int? = nil) async -> Bool {
        exchange.note(facts)
        guard exchange.settlesNow() else { return true }
        return await services.settlement.settle(
            caller, exchange.metadata, status: status ?? exchange.reply.status ?? 0, usage: facts.charged, fate: fate,
            cached: facts.isCached)
    }
}

extension AnswerFacts {
    /// What the router says of tries that gave no whole answer.
    fileprivate mutating func note(_ detail: RouterAPI.FailureDetail) {
        usage = detail.usage ?? usage
        guard served.provider.isEmpty else { return }
        served.provider = detail.provider ?? ""
        served.model = detail.model ?? ""
        served.attempts = detail.attempts
    }

    fileprivate mutating func note(_ event: ChatAPI.ChatEvent, _ caller: Caller) {
        if let served = event.served {
            self.served = served
            degraded = caller.degraded + served.degraded.filter { !caller.degraded.contains($0) }
        }
        // START tells what is known of the input only.
        if event.kind != .start { usage = event.usage ?? usage }
        streamedBytes += event.text.utf8.count + (event.json?.utf8.count ?? 0)
    }

    fileprivate mutating func note(_ answer: CollectedAnswer, _ caller: Caller) {
        served = answer.served
        usage = answer.usage
        degraded = caller.degraded + served.degraded.filter { !caller.degraded.contains($0) }
    }
}
