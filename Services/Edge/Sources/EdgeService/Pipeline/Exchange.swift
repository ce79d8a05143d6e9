import BulkheadAPI
import BulkheadCore
import HTTPTypes
import NIOCore

/// One request on its way through the pipeline, and what is told about it afterwards. Confined to the task of its connection.
final class Exchange {
    let request: ClientRequest
    let scope: RequestScope
    let path: Substring
    let reply: ReplyWriter
    let body: BodyReader
    let connection: EdgeConnection
    let shape: ErrorShape
    private var isSettled = false
    /// Who left before the answer's cost was told: it is asked for behind the client's back.
    var leaver: Caller?
    /// What becomes of the Idempotency-Key of who left.
    var leaverFate = ClaimFate.release
    /// Session has written down that the work with an Idempotency-Key begins.
    var isDispatched = false
    /// Another run has taken the Idempotency-Key over.
    var hasLostClaim = false
    /// The limits the request was held against; none before it was admitted.
    private(set) var limits = CallerLimits()
    /// The class of the place it was given among the running requests; nil: it needs none.
    var place: RequestClass?
    /// Has that place now. One that waits for a limit has not.
    var holdsPlace = false
    /// What telemetry is told.
    var event: TelemetryAPI.RequestEvent
    /// Bytes of bodies that were passed on: to a destination, and back.
    var takenBytes = 0
    var passedBytes = 0
    /// How the request is counted; the path of an unknown route would be a label of the caller's choice.
    var route = "other"
    /// The metadata of calls made for this request; tenant and user once they are known.
    var metadata: CallMetadata

    init(_ request: ClientRequest, _ connection: EdgeConnection) {
        self.request = request
        self.connection = connection
        scope = RequestScope(request.headers)
        path = Routes.path(of: request.target)
        reply = ReplyWriter(connection, scope, request)
        body = BodyReader(request, connection)
        shape = Routes.errorShape(path, isAnthropicClient: request.headers[.anthropicVersion] != nil)
        metadata = CallMetadata(requestID: scope.id, trace: scope.trace)
        event = TelemetryAPI.RequestEvent(
            startedUnixNS: WallClock.unixNanoseconds(), requestID: scope.id, traceID: scope.traceID)
    }

    /// True the first time it is asked: an admission is settled once, so that a failure after the answer was reported cannot
    /// take the report back.
    func settlesNow() -> Bool {
        defer { isSettled = true }
        return !isSettled
    }

    /// Microseconds since the request's head was read.
    var microseconds: Int { Int((MonotonicTime.now() - scope.startedAt).nanosecondsClamped / 1000) }

    /// Notes who calls.
    func identify(_ caller: Caller, endUser: String?) {
        let user = caller.user.isEmpty ? endUser ?? caller.keyID : caller.user
        metadata.tenant = Self.prefix(caller.tenant, bytes: 128)
        metadata.user = UserScope.text(user: caller.user, endUser: endUser, keyID: caller.keyID)
        event.tenant = metadata.tenant
        event.user = Self.prefix(user, bytes: 256)
        event.keyID = caller.keyID
        event.degraded = caller.degraded
        limits = caller.limits
    }

    /// The moment the request must be done: the server's limit, or the client's if that is nearer.
    func deadline(limit: Duration, asked: Duration?) -> MonotonicTime {
        var nearest = min(limit, asked ?? limit)
        for name in Self.timeouts {
            guard let told = request.headers[name].flatMap({ Double($0) }), told > 0, told < 1e6 else { continue }
            nearest = min(nearest, .nanoseconds(Int64(told * 1e9)))
        }
        return scope.startedAt + nearest
    }

    private static let timeouts = [HTTPField.Name.clientReadTimeout, .clientTimeout]

    private static func prefix(_ text: String, bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: bytes)
        while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

/// The client went away: nobody is left to answer.
struct ClientLeft: Error {}

/// An answer that is passed on broke off after its head: the connection is closed before the answer's end, so that its client
/// cannot take it for whole.
struct AnswerBroken: Error {
    let error: EdgeError
}

extension Exchange {
    /// Milliseconds since the request's head was read.
    var milliseconds: Double { (MonotonicTime.now() - scope.startedAt).milliseconds }

    /// An `EdgeError` for anything that can be told, `ClientLeft` when nobody listens.
    func translate(_ error: any Error, from peer: ServiceName) -> any Error {
        if hasLeft { return ClientLeft() }
        if hasLostClaim { return IdempotencyRefusal.running() }
        switch error {
        case is EdgeError, is RefusedAtLimit, is ClientLeft, is AnswerBroken: return error
        case let error as CallError: return EdgeError(error, from: peer)
        case is CancellationError:
            return Self.shuttingDown
        // Writing failed: the connection is gone, and the pipeline will hear of it.
        default: return reply.status == nil ? error : ClientLeft()
        }
    }

    private static let shuttingDown: EdgeError = {
        var error = EdgeError(.unavailable, code: "shutting_down", message: "The server is shutting down. Try again shortly.")
        error.mayHaveRun = true
        return error
    }()

    /// Notes for telemetry who answered, how, and at what cost.
    func note(_ facts: AnswerFacts) {
        event.provider = facts.served.provider
        event.model = facts.served.model
        event.attempts = facts.served.attempts
        event.cache = facts.served.provider.isEmpty ? "" : facts.served.cache.header
        event.note(facts.usage)
        event.overheadUS = Int(facts.overheadMilliseconds * 1000)
        if !facts.degraded.isEmpty { event.degraded = facts.degraded }
    }

    /// Sends the answer of an earlier request with the same Idempotency-Key, byte for byte.
    func replay(_ stored: SessionAPI.StoredAnswer, _ caller: Caller) async throws {
        try await reply.send(
            WholeReply(
                status: stored.status, contentType: stored.contentType.isEmpty ? "application/json" : stored.contentType,
                fields: replayFields(stored, caller), body: stored.body ?? ByteBuffer()))
    }

    /// The headers that are given again, the first request's id, and the caller's limits as they are now.
    func replayFields(_ stored: SessionAPI.StoredAnswer, _ caller: Caller) -> HTTPFields {
        var fields = HTTPFields()
        for line in stored.headers {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else { continue }
            fields[name] = parts[1].drop { $0 == " " }.description
        }
        fields[.idempotentReplayed] = "true"
        if !stored.requestID.isEmpty { fields[.originalRequestID] = stored.requestID }
        AnswerFields.addLimits(caller.limits, shape, to: &fields)
        return fields
    }
}

extension TelemetryAPI.RequestEvent {
    /// Tokens and cost.
    mutating func note(_ usage: ChatAPI.Usage?) {
        inputTokens = usage?.inputTokens ?? 0
        outputTokens = usage?.outputTokens ?? 0
        costNanousd = usage?.costNanousd
    }
}
