import BulkheadAPI
import BulkheadCore
import Foundation
import NIOCore
import Synchronization

/// Decides whether a request may run, and takes its end in. Key → model → limits → Idempotency-Key: a request refused early
/// costs nothing later. Without an Idempotency-Key nothing here touches the disk.
package final class Admission: Sendable {
    private let keys: KeyIndex
    private let limits: RequestLimits
    private let reservations: Reservations
    private let spend: SpendLedger
    private let commits: CommitQueue
    private let metrics: SessionMetrics
    private let settings: Mutex<AdmissionSettings>

    /// An admission desk over the given parts.
    package init(
        keys: KeyIndex, limits: RequestLimits, reservations: Reservations, spend: SpendLedger, commits: CommitQueue,
        metrics: SessionMetrics, settings: AdmissionSettings
    ) {
        self.keys = keys
        self.limits = limits
        self.reservations = reservations
        self.spend = spend
        self.commits = commits
        self.metrics = metrics
        self.settings = Mutex(settings)
    }

    /// Takes new limits; what was counted under unchanged ones stays.
    package func apply(_ settings: AdmissionSettings) { self.settings.withLock { $0 = settings } }

    /// - Throws: INVALID_ARGUMENT for a malformed request; what `CommitQueue.commit` throws, with an Idempotency-Key.
    package func admit(_ request: SessionAPI.AdmitRequest, now: Moment) async throws -> SessionAPI.AdmitReply {
        let reply = try await decide(request, now)
        metrics.admitted(reply.verdict)
        return reply
    }

    private func decide(_ request: SessionAPI.AdmitRequest, _ now: Moment) async throws -> SessionAPI.AdmitReply {
        guard let digest = request.keyDigest.flatMap({ KeyDigest($0.readableBytesView) }) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "key_digest holds \(request.keyDigest?.readableBytes ?? 0) bytes, a SHA-256 has 32")
        }
        guard let key = keys.find(digest) else { return Self.refused("there is no such key") }
        if let reason = key.refusal(at: now.unixMilliseconds) { return Self.refused(reason, key) }
        let user = key.user ?? (key.mayAssertUser ? request.assertedUser ?? "" : "")
        var reply = Self.identified(key, user)
        guard key.allows(model: request.model) else {
            reply.verdict = .modelRefused
            reply.reason = "the key may not use the model \(request.model); it may use: \(key.models.joined(separator: ", "))"
            return reply
        }
        let admission = AdmissionID.of(request.proposedID, keyed: request.count && request.idempotencyKey != nil)
        guard limited(request, key, user, admission, &reply, now) else { return reply }
        do {
            let claimed = try await claim(request, key, user, admission, reply, now)
            // The caller left meanwhile: it will never settle an admission it does not know of.
            if claimed.verdict != .admitted || Task.isCancelled { reservations.settle(admission, used: 0, now: now.monotonic) }
            return claimed
        } catch {
            reservations.settle(admission, used: 0, now: now.monotonic)
            throw error
        }
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

    /// The last step: the Idempotency-Key, if there is one.
    private func claim(
        _ request: SessionAPI.AdmitRequest, _ key: KeyRecord, _ user: String, _ admission: String,
        _ identified: SessionAPI.AdmitReply, _ now: Moment
    ) async throws -> SessionAPI.AdmitReply {
        var reply = identified
        let keyed = request.count ? request.idempotencyKey : nil
        reply.verdict = .admitted
        reply.admissionID = admission
        guard let keyed else { return reply }
        let digest = try Self.validated(keyed, request.requestDigest)
        let owner = user.isEmpty ? "key:\(key.id)" : "user:\(user)"
        let scope = IdempotencyScope(tenant: key.tenant, owner: owner, key: keyed)
        let (route, time) = (request.route, now.unixMilliseconds)
        let outcome = try await commits.commit { db in
            try IdempotencyTable.claim(scope, digest: digest, admission: admission, route: route, now: time, db)
        }
        switch outcome {
        case .admitted:
            // The caller left while the claim was written: it will never settle an admission it does not know of.
            guard !Task.isCancelled else {
                try await commits.commit { db in try IdempotencyTable.forget(admission, db) }
                throw CancellationError()
            }
            return reply
        case .running:
            reply.verdict = .idempotencyRunning
            reply.reason = "the first request with this Idempotency-Key still runs, or its end was not reported yet"
        case .mismatch:
            reply.verdict = .idempotencyMismatch
            reply.reason = "this Idempotency-Key was used with another request: use a new key for a new request"
        case .replay(let kept):
            reply.verdict = .replay
            reply.stored = SessionAPI.StoredAnswer(
                status: kept.status, contentType: kept.contentType, body: ByteBuffer(bytes: kept.body), headers: kept.headers)
        }
        reply.admissionID = ""
        reply.reserved = false
        return reply
    }

    /// Takes in how an admitted request ended.
    /// - Throws: what `CommitQueue.commit` throws, for an admission with an Idempotency-Key; reporting it again does no harm.
    package func settle(_ request: SessionAPI.SettleRequest, now: Moment) async throws {
        let (used, isTooMuch) = max(0, request.inputTokens).addingReportingOverflow(max(0, request.outputTokens))
        reservations.settle(request.admissionID, used: isTooMuch ? .max : used, now: now.monotonic)
        if AdmissionID.holdsKey(request.admissionID) { try await settleKeyed(request, now) }
        guard !request.unused else { return metrics.settled(.unused) }
        guard let key = keys.find(id: request.keyID), !request.admissionID.isEmpty else {
            metrics.settled(.unknown)
            return
        }
        let amount = Spend(
            requests: 1, inputTokens: request.inputTokens, outputTokens: request.outputTokens,
            costNanousd: request.costNanousd ?? 0)
        let isNew = spend.add(amount, admission: request.admissionID, key: key, now: now.unixMilliseconds)
        metrics.settled(isNew ? .counted : .repeated)
    }

    private func settleKeyed(_ request: SessionAPI.SettleRequest, _ now: Moment) async throws {
        let admission = request.admissionID
        guard let answer = request.answer, (answer.body?.readableBytes ?? 0) <= IdempotencyTable.maximumBody else {
            return try await commits.commit { db in try IdempotencyTable.forget(admission, db) }
        }
        let kept = KeptAnswer(
            status: answer.status, contentType: answer.contentType, headers: answer.headers,
            body: answer.body.map { Data($0.readableBytesView) } ?? Data())
        let retention = settings.withLock { $0.idempotencyRetention }
        let expires = (now + retention).unixMilliseconds
        try await commits.commit { db in
            try IdempotencyTable.finish(admission, kept, now: now.unixMilliseconds, expires: expires, db)
        }
    }

    private static func validated(_ key: String, _ digest: ByteBuffer?) throws -> Data {
        guard (1 ... 255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21 ... 0x7e).contains($0) }) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message:
                    "the Idempotency-Key is \(key.utf8.count) bytes long or holds other than visible ASCII: use 1 to 255 of it")
        }
        guard let digest, digest.readableBytes == 32 else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "request_digest holds \(digest?.readableBytes ?? 0) bytes, a SHA-256 has 32")
        }
        return Data(digest.readableBytesView)
    }

    private static func refused(_ reason: String, _ key: KeyRecord? = nil) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(verdict: .keyRefused, keyID: key?.id ?? "", tenant: key?.tenant ?? "", reason: reason)
    }

    private static func identified(_ key: KeyRecord, _ user: String) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(keyID: key.id, tenant: key.tenant, user: user, admin: key.isAdmin, models: key.models)
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
