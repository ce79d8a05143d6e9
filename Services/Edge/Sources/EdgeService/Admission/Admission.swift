import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import HTTPTypes
import NIOCore
import Synchronization

/// Who makes a request, as far as it has been established.
struct Caller: Sendable {
    var keyID = ""
    var tenant = ""
    /// The key's user or the one it asserts; empty: to be taken from the body, else the key itself.
    var user = ""
    var isAdmin = false
    /// Names the admission at session; empty when session was not asked.
    var admissionID = ""
    var limits = CallerLimits()
    /// Services that were missing.
    var degraded: [String] = []
    /// Whether the answer is to be kept under an Idempotency-Key.
    var isIdempotent = false
    /// Goes with every word to session on an admission with an Idempotency-Key.
    var fence = 0
    /// Names the stream that is kept for the Idempotency-Key; empty: none.
    var streamID = ""
    /// An earlier run of the request may have been billed.
    var isPossibleDuplicate = false
    /// Destinations the key may call.
    var destinations: [String] = []
    /// Session holds tokens or a place for the request: its end is reported in any case.
    var isReserved = false
    /// What is held back of the budget of a request that session does not know of.
    var hold: HeldBack?
    /// The same of tokens a minute; its end gives the request's place back.
    var heldTokens: HeldBack?
    /// Who spends what such a request costs: session is told of it when it is back.
    var spender: SpendSubject?

    /// Session is told of the request's end, now or when it is back.
    var isSettled: Bool { !admissionID.isEmpty || spender != nil }

    /// Who spends what the request costs.
    var subject: SpendSubject? {
        guard !admissionID.isEmpty else { return spender }
        return SpendSubject(
            tenant: tenant, keyID: keyID, user: user, asserted: user.isEmpty ? nil : user,
            end: user.isEmpty && !limits.user.isEmpty ? limits.user : nil, isToken: tokenIdentity != nil)
    }
}

/// What a request asks to be admitted with.
struct AdmissionRequest: Sendable {
    var route: String
    var method: String
    var model = ""
    var estimatedTokens = 0
    /// The part of it that nobody declared.
    var assumedTokens = 0
    /// The part of it that is the answer's.
    var estimatedOutput = 0
    var body = ByteBuffer()
    /// False: only look at the key.
    var counts = true
    /// As the client sent it: path and query.
    var target = ""
    /// What besides method, route, query and body makes the request another one for its Idempotency-Key.
    var subject = ""
    /// False: an Idempotency-Key is another's to honour.
    var deduplicates = true
    /// What the request counts against limits of requests.
    var weight = 1
    /// The user the body names.
    var endUser: String?
    /// The answer is a stream.
    var streams = false
    /// Calls that are nearly the same have the same number; 0: it does not matter.
    var likeness: UInt64 = 0
}

/// Decides whether a request may run: by session while it is there, else by what edge remembers of the key.
final class Admission: Sendable {
    /// What becomes of a request that is not refused.
    enum Outcome: Sendable {
        case run(Caller)
        /// The stored answer of an earlier request with the same Idempotency-Key.
        case replay(SessionAPI.StoredAnswer, Caller)
        /// The stream of an earlier request with the same Idempotency-Key, which may still run.
        case attach(StreamReplay.Place, Caller)
    }

    /// Milliseconds a request may take beyond its limit until its end is reported.
    private static let leaseMargin = 30_000

    let mode: AuthMode
    let requiredOn: Set<String>
    private let peers: EdgePeers
    private let degraded: @Sendable () -> Void
    private let settlement: Settlement
    let reporter: SpendReporter
    let settings: EdgeSettings
    /// Judges tokens; nil: only API keys count.
    let tokens: TokenDesk?
    private let prices: PriceBook
    /// What is known of keys.
    let memory: Mutex<KeyMemory>
    /// Tells session's reservations of this process from those of an earlier one.
    private let run: Int

    /// - Parameters:
    ///   - requiredOn: routes that need an Idempotency-Key.
    ///   - run: a random number.
    ///   - tokens: judges what is no API key; nil: nothing else counts.
    ///   - degraded: told of each request that is served on memory.
    init(
        mode: AuthMode, requiredOn: [String], peers: EdgePeers, settlement: Settlement, reporter: SpendReporter,
        settings: EdgeSettings, run: Int, tokens: TokenDesk? = nil, degraded: @escaping @Sendable () -> Void
    ) {
        self.mode = mode
        self.requiredOn = Set(requiredOn)
        self.peers = peers
        self.settlement = settlement
        self.reporter = reporter
        self.settings = settings
        self.run = run
        self.tokens = tokens
        self.degraded = degraded
        prices = PriceBook { try await peers.price(of: $0, $1) }
        memory = Mutex(KeyMemory())
    }

    /// - Throws: `EdgeError` when the request carries no key at all.
    func requireKey(_ headers: RequestHeaders) throws {
        guard mode != .none, Self.key(headers) == nil else { return }
        throw Self.keyMissing
    }

    static let keyMissing = EdgeError(
        .unauthenticated, code: "missing_api_key",
        message: "There is no API key in the request. Send it as Authorization: Bearer KEY, or as x-api-key.")

    /// One name: of two it would not be known which one the sender vouches for.
    private static func assertedUser(_ headers: RequestHeaders) throws(EdgeError) -> String? {
        let count = headers.count(.assertedUser)
        guard count <= 1 else {
            throw EdgeError(.badRequest, message: "x-bulkhead-user stands \(count) times in the request: send it once.")
        }
        return headers[.assertedUser]
    }

    /// - Throws: `EdgeError` when the request may not run.
    func admit(_ request: AdmissionRequest, _ headers: RequestHeaders, _ scope: RequestScope) async throws -> Outcome {
        let idempotencyKey = try idempotencyKey(request, headers)
        if mode == .none { return .run(Caller(keyID: "none", tenant: "default")) }
        let shown = try await shown(headers)
        let digest = shown.digest
        // A token says itself whose it is.
        let assertedUser = shown.identity == nil ? try Self.assertedUser(headers) : nil
        if let caller = remembered(shown, request, assertedUser: assertedUser) { return .run(caller) }
        var question = SessionAPI.AdmitRequest(
            keyDigest: digest.bytes, route: request.route, model: request.model, estimatedTokens: request.estimatedTokens,
            assertedUser: assertedUser, count: request.counts, edgeRun: run)
        question.identity = shown.identity
        question.assumedTokens = request.assumedTokens
        question.weight = request.weight
        question.endUser = request.endUser
        question.likeness = request.likeness
        question.requestID = scope.id
        if request.counts {
            question.leaseMS = Int(settings.current.requestTimeout.milliseconds) + Self.leaseMargin
            question.proposedID = TraceContext.digits(QuickRandom.next(), 16) + TraceContext.digits(QuickRandom.next(), 8)
        }
        if let idempotencyKey { try claim(idempotencyKey, request, headers, &question) }
        let isKnown = memory.withLock { $0.knows(digest, now: .now()) }
        let metadata = CallMetadata(requestID: scope.id, trace: scope.trace)
        question.estimatedNanousd = await estimatedCost(request, digest, metadata)
        let askedAt = MonotonicTime.now()
        let companions = settlement.companions()
        question.settled = companions.requests
        let reply: SessionAPI.AdmitReply
        do {
            reply = try await peers.session.admit(question, peers.sessionOptions(metadata, waits: !isKnown))
            settlement.arrived(companions, taken: reply.settled)
        } catch {
            settlement.arrived(companions, taken: 0)
            // Session may have admitted the request and its word was lost: nothing is to stay reserved for it.
            if request.counts, (error as? CallError)?.notProcessed != true {
                settlement.release((idempotencyKey == nil ? "r" : "i") + question.proposedID, metadata)
            }
            guard let error = error as? CallError else { throw error }
            return try await withoutSession(error, digest, question, isIdempotent: idempotencyKey != nil)
        }
        note(reply, digest, question, askedAt: askedAt)
        if request.counts, let refusal = refusalWhileOwing(reply, estimate: question.estimatedNanousd) {
            settlement.release(reply.admissionID, metadata, fence: reply.fence)
            throw refusal
        }
        return try judge(reply, question, isIdempotent: idempotencyKey != nil)
    }

    private func judge(
        _ reply: SessionAPI.AdmitReply, _ question: SessionAPI.AdmitRequest, isIdempotent: Bool
    ) throws -> Outcome {
        func limits() -> CallerLimits { CallerLimits(reply, endUser: question.endUser, isToken: question.identity != nil) }
        switch reply.verdict {
        case .admitted:
            return .run(Self.caller(reply, question, isIdempotent: isIdempotent))
        case .replay:
            guard let stored = reply.stored else { throw EdgeError(.internal, message: "The stored answer is missing.") }
            return .replay(stored, Self.caller(reply, question, isIdempotent: false))
        case .attach:
            return .attach(
                StreamReplay.Place(streamID: reply.streamID, owner: reply.claimOwner, after: reply.attachAfter),
                Self.caller(reply, question, isIdempotent: false))
        case .keyRefused:
            throw limits().keyRefused
        case .rateLimited, .budgetExceeded, .tenantBlocked, .spendFrozen, .runaway, .costAboveLimit, .scopeRefused:
            let limits = limits()
            throw RefusedAtLimit(limits.refusal(reply), limits: limits, brief: LimitRefusal(reply, endUser: question.endUser))
        case .modelRefused:
            throw limits().modelRefused
        case .tenantUnknown: throw Self.tenantUnknown(reply.tenant)
        case .idempotencyMismatch, .idempotencyRunning, .outcomeUnknown, .notRetained, .streamGone:
            throw IdempotencyRefusal.error(reply) ?? EdgeError(.internal, message: "Session gave no verdict on the request.")
        case .unspecified:
            throw EdgeError(.internal, message: "Session gave no verdict on the request.")
        }
    }

    /// Session is away or too slow: what is remembered of the key counts, if it is recent; nothing runs unprotected.
    private func withoutSession(
        _ error: CallError, _ digest: KeyDigest, _ question: SessionAPI.AdmitRequest, isIdempotent: Bool
    ) async throws -> Outcome {
        try Task.checkCancellation()
        guard [.unavailable, .deadlineExceeded, .resourceExhausted].contains(error.code) else {
            throw EdgeError(error, from: .session)
        }
        if isIdempotent { throw IdempotencyRefusal.sessionAway(error.retryAfter) }
        guard let caller = try fromMemory(digest, question) else {
            let what =
                question.identity == nil ? "the API key cannot be checked" : "what the token's bearer may do cannot be told"
            throw Self.sessionAway("so \(what)", error)
        }
        degraded()
        return .run(caller)
    }

    private static func caller(
        _ reply: SessionAPI.AdmitReply, _ question: SessionAPI.AdmitRequest, isIdempotent: Bool
    ) -> Caller {
        Caller(
            keyID: reply.keyID, tenant: reply.tenant, user: reply.user, isAdmin: reply.admin, admissionID: reply.admissionID,
            limits: CallerLimits(reply, endUser: question.endUser),
            degraded: reply.limitsLocal ? [ServiceName.session.rawValue] : [],
            isIdempotent: isIdempotent, fence: reply.fence, streamID: reply.streamID,
            isPossibleDuplicate: reply.possibleDuplicate, destinations: reply.destinations,
            isReserved: reply.reserved)
    }

    private static func sessionAway(_ consequence: String, _ error: CallError) -> EdgeError {
        EdgeError(
            .unavailable, code: "session_unavailable",
            message: "The service session is not available at the moment, \(consequence). Try again shortly.",
            retryAfter: error.retryAfter
        ).without(.session)
    }

    /// What the request may cost, in nano-dollars; 0 where nobody knows, or no budget asks.
    private func estimatedCost(_ request: AdmissionRequest, _ digest: KeyDigest, _ metadata: CallMetadata) async -> Int {
        guard request.counts, request.estimatedTokens > 0, !request.model.isEmpty,
            memory.withLock({ $0.needsPrice(digest, now: .now()) }),
            let price = await prices.price(of: request.model, metadata)
        else { return 0 }
        return price.cost(input: max(0, request.estimatedTokens - request.estimatedOutput), output: request.estimatedOutput)
    }

    /// The API key of a request, wherever its client sends it.
    static func key(_ headers: RequestHeaders) -> String? {
        if let key = headers[.apiKey], !key.isEmpty { return key }
        guard var authorization = headers[.authorization] else { return nil }
        return authorization.withUTF8(bearer)
    }

    private static let scheme: StaticString = "bearer "

    /// What follows the scheme `Bearer`, in any case, and spaces.
    private static func bearer(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        let space = UInt8(ascii: " ")
        var place = 0
        while place < bytes.count, bytes[place] == space { place += 1 }
        guard bytes.count - place > scheme.utf8CodeUnitCount else { return nil }
        for index in 0 ..< scheme.utf8CodeUnitCount {
            // A space has the bit that makes a letter small.
            guard bytes[place] | 0x20 == scheme.utf8Start[index] else { return nil }
            place += 1
        }
        guard bytes[place - 1] == space else { return nil }
        while place < bytes.count, bytes[place] == space { place += 1 }
        return place == bytes.count ? nil : String(decoding: bytes[place...], as: UTF8.self)
    }
}
