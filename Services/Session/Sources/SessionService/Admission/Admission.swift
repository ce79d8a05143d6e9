import BulkheadAPI
import BulkheadCore
import NIOCore
import Synchronization

/// Decides whether a request may run, and takes its end in. Key → model → limits → Idempotency-Key: a request refused early
/// costs nothing later. Without an Idempotency-Key nothing here touches the disk.
package final class Admission: Sendable {
    private let keys: KeyIndex
    private let limits: RequestLimits
    private let reservations: Reservations
    private let spend: SpendLedger
    let claims: ClaimDesk
    private let metrics: SessionMetrics
    private let settings: Mutex<AdmissionSettings>

    /// An admission desk over the given parts.
    package init(
        keys: KeyIndex, limits: RequestLimits, reservations: Reservations, spend: SpendLedger, claims: ClaimDesk,
        metrics: SessionMetrics, settings: AdmissionSettings
    ) {
        self.keys = keys
        self.limits = limits
        self.reservations = reservations
        self.spend = spend
        self.claims = claims
        self.metrics = metrics
        self.settings = Mutex(settings)
    }

    /// Takes new limits; what was counted under unchanged ones stays.
    package func apply(_ settings: AdmissionSettings) { self.settings.withLock { $0 = settings } }

    /// The answer to a request that needs no disk; nil: `admit` is to be asked.
    /// - Throws: INVALID_ARGUMENT for a malformed request.
    package func admitNow(_ request: SessionAPI.AdmitRequest, now: Moment) throws -> SessionAPI.AdmitReply? {
        guard !Self.isKeyed(request) else { return nil }
        let reply = try judge(request, now).reply
        metrics.admitted(reply.verdict)
        return reply
    }

    /// - Throws: INVALID_ARGUMENT for a malformed request; what `DurableStore.transact` throws, with an Idempotency-Key.
    package func admit(_ request: SessionAPI.AdmitRequest, now: Moment) async throws -> SessionAPI.AdmitReply {
        if let reply = try admitNow(request, now: now) { return reply }
        let (judged, claimant) = try judge(request, now)
        guard let claimant else {
            metrics.admitted(judged.verdict)
            return judged
        }
        do {
            let claimed = try await claim(request, claimant, judged, now)
            // The caller left meanwhile: it will never settle an admission it does not know of.
            if claimed.verdict != .admitted || Task.isCancelled {
                reservations.settle(judged.admissionID, used: 0, now: now.monotonic)
            }
            metrics.admitted(claimed.verdict)
            return claimed
        } catch {
            reservations.settle(judged.admissionID, used: 0, now: now.monotonic)
            throw error
        }
    }

    private static func isKeyed(_ request: SessionAPI.AdmitRequest) -> Bool { request.count && request.idempotencyKey != nil }

    /// Who claims an Idempotency-Key.
    struct Claimant {
        let key: KeyRecord
        let user: String
    }

    /// Key, model and limits. - Returns: the answer, unless there is an Idempotency-Key to be claimed, and who may claim it;
    /// nil when the request is refused.
    private func judge(_ request: SessionAPI.AdmitRequest, _ now: Moment) throws -> (reply: SessionAPI.AdmitReply, Claimant?) {
        // One with an Idempotency-Key would need the disk; edge sends none here, and its key stays taken.
        for ended in request.settled { _ = settleNow(ended, now: now) }
        guard let digest = request.keyDigest.flatMap({ KeyDigest($0.readableBytesView) }) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "key_digest holds \(request.keyDigest?.readableBytes ?? 0) bytes, a SHA-256 has 32")
        }
        var (reply, claimant) = decide(request, keys.find(digest), now)
        reply.settled = request.settled.count
        return (reply, claimant)
    }

    private func decide(
        _ request: SessionAPI.AdmitRequest, _ key: KeyRecord?, _ now: Moment
    ) -> (SessionAPI.AdmitReply, Claimant?) {
        guard let key else { return (Self.refused("there is no such key"), nil) }
        if let reason = key.refusal(at: now.unixMilliseconds) { return (Self.refused(reason, key), nil) }
        let user = key.user ?? (key.mayAssertUser ? request.assertedUser ?? "" : "")
        var reply = Self.identified(key, user)
        guard key.allows(model: request.model) else {
            reply.verdict = .modelRefused
            reply.reason = "the key may not use the model \(request.model); it may use: \(key.models.joined(separator: ", "))"
            return (reply, nil)
        }
        let admission = AdmissionID.of(request.proposedID, keyed: Self.isKeyed(request))
        guard limited(request, key, user, admission, &reply, now) else { return (reply, nil) }
        reply.verdict = .admitted
        reply.admissionID = admission
        return (reply, Claimant(key: key, user: user))
    }

    /// Tokens and places first: they can be given back when the requests per minute refuse.
    private func limited(
        _ request: SessionAPI.AdmitRequest, _ key: KeyRecord, _ user: String, _ admission: String,
        _ reply: inout SessionAPI.AdmitReply, _ now: Moment
    ) -> Bool {
        let policy = settings.withLock { $0.policy }
        var reserved = Reservations.Decision()
        if request.count {
            let lease = request.leaseMS > 0 ? Duration.milliseconds(request.leaseMS) : Reservations.longestLease
            reserved = reservations.reserve(
                .init(
                    admission: admission, tokens: max(0, request.estimatedTokens), assumed: max(0, request.assumedTokens),
                    run: Int64(request.edgeRun), lease: lease),
                tokens: policy.tokenLimits(of: key, user: user), places: policy.concurrencyLimits(of: key, user: user),
                now: now.monotonic)
        }
        reply.tokens = reserved.tokens.map(Self.rateLimit)
        reply.concurrency = reserved.concurrency.map(Self.rateLimit)
        let counts = request.count && reserved.isAdmitted
        let decision = limits.admit(policy.limits(of: key, user: user), count: counts, now: now.monotonic)
        reply.requests = Self.rateLimit(decision)
        if reserved.isAdmitted, decision.isAdmitted {
            reply.reserved = reserved.tokens != nil || reserved.concurrency != nil
            return true
        }
        if reserved.isAdmitted { reservations.settle(admission, used: 0, now: now.monotonic) }
        reply.verdict = .rateLimited
        reply.reason = Self.reason(reserved, decision)
        return false
    }

    private static func reason(_ reserved: Reservations.Decision, _ requests: LimitDecision) -> String {
        if let places = reserved.concurrency, !places.isAdmitted {
            return "\(places.limit) requests run at once, the most there may"
        }
        if let tokens = reserved.tokens, !tokens.isAdmitted { return "the limit of \(tokens.limit) tokens per minute is reached" }
        return "the limit of \(requests.limit) requests per minute is reached"
    }

    /// Takes in how an admitted request ended, if that needs no disk; nil: `settle` is to be asked too.
    package func settleNow(_ request: SessionAPI.SettleRequest, now: Moment) -> SessionAPI.SettleReply? {
        // At once in any case: a request that follows finds the place free.
        free(request, now)
        guard !AdmissionID.holdsKey(request.admissionID) else { return nil }
        count(request, now)
        return SessionAPI.SettleReply()
    }

    /// How long answers are kept, in milliseconds.
    var retention: Int64 { settings.withLock { $0.idempotencyRetention }.nanosecondsClamped / 1_000_000 }

    private func free(_ request: SessionAPI.SettleRequest, _ now: Moment) {
        let (used, isTooMuch) = max(0, request.inputTokens).addingReportingOverflow(max(0, request.outputTokens))
        reservations.settle(request.admissionID, used: isTooMuch ? .max : used, now: now.monotonic)
    }

    func count(_ request: SessionAPI.SettleRequest, _ now: Moment) {
        guard !request.unused else { return metrics.settled(.unused) }
        guard !request.admissionID.isEmpty, let key = keys.find(id: request.keyID) else { return metrics.settled(.unknown) }
        let amount = Spend(
            requests: 1, inputTokens: request.inputTokens, outputTokens: request.outputTokens,
            costNanousd: request.costNanousd ?? 0)
        let isNew = spend.add(amount, admission: request.admissionID, key: key, now: now.unixMilliseconds)
        metrics.settled(isNew ? .counted : .repeated)
    }

    private static func refused(_ reason: String, _ key: KeyRecord? = nil) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(verdict: .keyRefused, keyID: key?.id ?? "", tenant: key?.tenant ?? "", reason: reason)
    }

    private static func identified(_ key: KeyRecord, _ user: String) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(
            keyID: key.id, tenant: key.tenant, user: user, admin: key.isAdmin, models: key.models, destinations: key.destinations)
    }

    private static func rateLimit(_ decision: LimitDecision) -> SessionAPI.RateLimit {
        let milliseconds = { (duration: Duration) in Int((duration.nanosecondsClamped + 999_999) / 1_000_000) }
        return SessionAPI.RateLimit(
            limit: decision.limit, remaining: decision.remaining, resetMS: milliseconds(decision.reset),
            retryAfterMS: milliseconds(decision.retryAfter))
    }
}

/// What of the configuration decides admissions.
package struct AdmissionSettings: Sendable, Equatable {
    package var policy: LimitPolicy
    package var idempotencyRetention: Duration

    /// Settings of their parts.
    package init(policy: LimitPolicy, idempotencyRetention: Duration) {
        self.policy = policy
        self.idempotencyRetention = idempotencyRetention
    }

    init(_ configuration: SessionConfiguration) {
        policy = LimitPolicy(configuration)
        idempotencyRetention = configuration.idempotencyRetention
    }
}
