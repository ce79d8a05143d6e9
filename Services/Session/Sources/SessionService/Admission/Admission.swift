import BulkheadAPI
import BulkheadCore
import NIOCore
import Synchronization

/// Decides whether a request may run, and takes its end in. Key → model → limits → Idempotency-Key: a request refused early
/// costs nothing later. Without an Idempotency-Key nothing here touches the disk.
package final class Admission: Sendable {
    let keys: KeyIndex
    let limits: LimitDesk
    private let spend: SpendLedger
    let claims: ClaimDesk
    let metrics: SessionMetrics
    let reports = SpendReports()
    /// What is spent waits in this process.
    private let isStoreAway: @Sendable () -> Bool
    private let runaways: RunawayLog
    private let settings: Mutex<AdmissionSettings>

    /// An admission desk over the given parts.
    package init(
        keys: KeyIndex, limits: LimitDesk, spend: SpendLedger, claims: ClaimDesk, metrics: SessionMetrics,
        settings: AdmissionSettings, runaways: RunawayLog = RunawayLog(),
        isStoreAway: @escaping @Sendable () -> Bool = { false }
    ) {
        self.isStoreAway = isStoreAway
        self.keys = keys
        self.limits = limits
        self.spend = spend
        self.claims = claims
        self.metrics = metrics
        self.runaways = runaways
        self.settings = Mutex(settings)
    }

    /// Takes new limits; what was counted under unchanged ones stays.
    package func apply(_ settings: AdmissionSettings) { self.settings.withLock { $0 = settings } }

    /// The answer to a request that needs neither disk nor Redis; nil: `admit` is to be asked.
    /// - Throws: INVALID_ARGUMENT for a malformed request.
    package func admitNow(_ request: SessionAPI.AdmitRequest, now: Moment) throws -> SessionAPI.AdmitReply? {
        guard !Self.isKeyed(request), limits.isLocal else { return nil }
        var (reply, asking) = try identify(request, now)
        if let asking, !limits.knows(asking.question, now: now) { return nil }
        takeIn(request.settled, now)
        if let asking {
            guard let answer = limits.askNow(asking.question, now: now) else { return nil }
            conclude(answer, asking, &reply, now)
        }
        reply.settled = request.settled.count
        metrics.admitted(reply.verdict)
        return reply
    }

    /// - Parameter deadline: the caller's; the store works no longer for it.
    /// - Throws: INVALID_ARGUMENT for a malformed request; what `DurableStore.transact` throws, with an Idempotency-Key or a
    ///   budget that is seen for the first time.
    package func admit(
        _ request: SessionAPI.AdmitRequest, now: Moment, deadline: MonotonicTime = .never
    ) async throws -> SessionAPI.AdmitReply {
        if let reply = try admitNow(request, now: now) { return reply }
        takeIn(request.settled, now)
        var (judged, asking) = try identify(request, now)
        if let asking {
            conclude(try await limits.ask(asking.question, now: now, deadline: deadline), asking, &judged, now)
        }
        judged.settled = request.settled.count
        guard let asking, judged.verdict == .admitted, Self.isKeyed(request) else {
            metrics.admitted(judged.verdict)
            return judged
        }
        let tenant = asking.claimant.key.tenant
        do {
            let claimed = try await claim(request, asking.claimant, judged, deadline)
            // The caller left meanwhile: it will never settle an admission it does not know of.
            if claimed.verdict != .admitted || Task.isCancelled { limits.release(tenant, judged.admissionID, now: now) }
            metrics.admitted(claimed.verdict)
            return claimed
        } catch {
            limits.release(tenant, judged.admissionID, now: now)
            throw error
        }
    }

    private static func isKeyed(_ request: SessionAPI.AdmitRequest) -> Bool { request.count && request.idempotencyKey != nil }

    /// Who claims an Idempotency-Key.
    struct Claimant {
        let key: KeyRecord
        let identity: Identity
    }

    /// A request whose key is good, and what its limits are asked.
    private struct Asking {
        let claimant: Claimant
        let question: LimitQuestion
    }

    /// One with an Idempotency-Key would need the disk; edge sends none here, and its key stays taken.
    private func takeIn(_ ended: [SessionAPI.SettleRequest], _ now: Moment) {
        for one in ended { _ = settleNow(one, now: now) }
    }

    /// Key, tenant and model. - Returns: the refusal, or who asks and for what.
    private func identify(_ request: SessionAPI.AdmitRequest, _ now: Moment) throws -> (SessionAPI.AdmitReply, Asking?) {
        let key: KeyRecord
        switch try keys.holder(of: request, now.unixMilliseconds) {
        case .found(let found): key = found
        case .refused(let verdict, let reason, let known): return (Self.refused(verdict, reason, known), nil)
        }
        let identity = Identity(key: key, asserted: request.assertedUser, end: request.endUser)
        var reply = Self.identified(key, identity.user, now)
        guard keys.permits(request, by: key, &reply) else { return (reply, nil) }
        if let (verdict, reason) = standing(of: key, request) {
            reply.verdict = verdict
            reply.reason = reason
            return (reply, nil)
        }
        return (reply, Asking(claimant: Claimant(key: key, identity: identity), question: question(request, key, identity)))
    }

    /// What the key and its tenant may not do, whatever the limits say; nil: nothing stands against the request.
    private func standing(of key: KeyRecord, _ request: SessionAPI.AdmitRequest) -> (SessionAPI.Verdict, String)? {
        guard key.allows(model: request.model) else {
            return (
                .modelRefused,
                "the key may not use the model \(request.model); it may use: \(key.models.joined(separator: ", "))"
            )
        }
        return nil
    }

    private func question(_ request: SessionAPI.AdmitRequest, _ key: KeyRecord, _ identity: Identity) -> LimitQuestion {
        let policy = settings.withLock { $0.policy }
        return LimitQuestion(
            tenant: key.tenant, admission: AdmissionID.of(request.proposedID, keyed: Self.isKeyed(request)),
            rules: policy.rules(of: key, identity, likeness: request.likeness), run: Int64(request.edgeRun),
            weight: request.weight, tokens: request.estimatedTokens, assumed: request.assumedTokens,
            nanousd: request.estimatedNanousd,
            lease: request.leaseMS > 0 ? .milliseconds(request.leaseMS) : LimitQuestion.longestLease, counts: request.count)
    }

    private func conclude(_ answer: LimitAnswer, _ asking: Asking, _ reply: inout SessionAPI.AdmitReply, _ now: Moment) {
        let question = asking.question
        Self.show(answer, question.rules, &reply)
        if isStoreAway() { reply.limitsLocal = true }
        guard answer.isAdmitted else {
            Self.refuse(answer, question.rules, &reply)
            if reply.verdict == .runaway { runaways.note(question, metrics, now) }
            return
        }
        reply.verdict = .admitted
        reply.admissionID = question.admission
        reply.reserved = question.counts && question.rules.contains { $0.kind != .requests }
    }

    /// Takes in how an admitted request ended, if that needs no disk; nil: `settle` is to be asked too.
    package func settleNow(_ request: SessionAPI.SettleRequest, now: Moment) -> SessionAPI.SettleReply? {
        let holdsKey = AdmissionID.holdsKey(request.admissionID)
        let isFirst = holdsKey ? spend.hears(request.admissionID) : count(request, now)
        // At once in any case: a request that follows finds the place free.
        free(request, isFirst: isFirst, now)
        return holdsKey ? nil : SessionAPI.SettleReply()
    }

    /// The limits in force.
    var policy: LimitPolicy { settings.withLock { $0.policy } }

    /// How long answers are kept, in milliseconds.
    var retention: Int64 { settings.withLock { $0.idempotencyRetention }.nanosecondsClamped / 1_000_000 }

    private func free(_ request: SessionAPI.SettleRequest, isFirst: Bool, _ now: Moment) {
        let key = keys.holder(of: request)
        let (used, isTooMuch) = max(0, request.inputTokens).addingReportingOverflow(max(0, request.outputTokens))
        let costsNothing = request.unused || request.cached
        let settlement = LimitSettlement(
            tenant: key?.tenant ?? "", admission: request.admissionID, tokens: costsNothing ? 0 : isTooMuch ? .max : used,
            nanousd: costsNothing ? 0 : request.costNanousd ?? 0, ran: !costsNothing)
        limits.settle(settlement, now: now) {
            guard isFirst, let key else { return [] }
            return settings.withLock { $0.policy }.budgets(of: key)
        }
    }

    /// - Returns: whether it is counted for the first time.
    @discardableResult
    func count(_ request: SessionAPI.SettleRequest, _ now: Moment) -> Bool {
        guard !request.unused else {
            metrics.settled(.unused)
            return true
        }
        guard !request.admissionID.isEmpty, let key = keys.holder(of: request) else {
            metrics.settled(.unknown)
            return false
        }
        let isUnpriced = request.costNanousd == nil && (request.inputTokens > 0 || request.outputTokens > 0)
        let amount = Spend(
            requests: 1, inputTokens: request.inputTokens, outputTokens: request.outputTokens,
            costNanousd: request.costNanousd ?? 0, unpriced: isUnpriced ? 1 : 0)
        let isNew = spend.add(amount, admission: request.admissionID, key: key, now: now.unixMilliseconds)
        metrics.settled(isNew ? .counted : .repeated)
        if isNew, isUnpriced { metrics.settledUnpriced() }
        return isNew
    }

    private static func refused(
        _ verdict: SessionAPI.Verdict, _ reason: String, _ key: KeyRecord?
    ) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(verdict: verdict, keyID: key?.id ?? "", tenant: key?.tenant ?? "", reason: reason)
    }

    private static func identified(_ key: KeyRecord, _ user: String, _ now: Moment) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(
            keyID: key.id, tenant: key.tenant, user: user, admin: key.isAdmin, models: key.models, destinations: key.destinations,
            scopes: key.scopes, expiresInMS: key.expiresAt.map { max(1, Int($0 - now.unixMilliseconds)) } ?? 0,
            assertsUsers: key.user == nil && key.mayAssertUser)
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
