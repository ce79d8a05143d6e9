import BulkheadAPI
import BulkheadCore
import NIOCore

// Admissions with an Idempotency-Key, and their ends.

extension Admission {
    /// The last step, with an Idempotency-Key.
    func claim(
        _ request: SessionAPI.AdmitRequest, _ claimant: Claimant, _ judged: SessionAPI.AdmitReply, _ now: Moment
    ) async throws -> SessionAPI.AdmitReply {
        var reply = judged
        let owner = claimant.user.isEmpty ? "key:\(claimant.key.id)" : "user:\(claimant.user)"
        let (outcome, streamID) = try await claims.claim(
            request, admission: judged.admissionID, tenant: claimant.key.tenant, owner: owner, retention: retention)
        guard case .admitted(let fence, let isDuplicate) = outcome else {
            Self.refuse(outcome, &reply)
            return reply
        }
        // The caller left while the claim was written: it will never settle an admission it does not know of.
        guard !Task.isCancelled else {
            try await claims.forget(judged.admissionID, fence: fence)
            throw CancellationError()
        }
        reply.fence = Int(fence)
        reply.streamID = streamID
        reply.possibleDuplicate = isDuplicate
        return reply
    }

    private static func refuse(_ outcome: ClaimOutcome, _ reply: inout SessionAPI.AdmitReply) {
        reply.admissionID = ""
        reply.reserved = false
        switch outcome {
        case .admitted: preconditionFailure("bug: an admission is no refusal")
        case .running:
            reply.verdict = .idempotencyRunning
            reply.reason = "the first request with this Idempotency-Key still runs, or its end was not reported yet"
        case .mismatch:
            reply.verdict = .idempotencyMismatch
            reply.reason = "this Idempotency-Key was used with another request: use a new key for a new request"
        case .unknown:
            reply.verdict = .outcomeUnknown
            reply.reason = "the first request with this Idempotency-Key was sent out, and nobody knows what became of it"
        case .notRetained(let requestID):
            reply.verdict = .notRetained
            reply.responseID = requestID
            reply.reason = "the first request was answered with more than is kept"
        case .stream(let id):
            reply.verdict = .attach
            reply.streamID = id
        case .replay(let kept):
            reply.verdict = .replay
            reply.stored = SessionAPI.StoredAnswer(
                status: kept.status, contentType: kept.contentType, body: kept.body, headers: kept.headers,
                requestID: kept.requestID)
        }
    }

    /// Takes in how an admitted request ended.
    /// - Throws: what `DurableStore.transact` throws, for an admission with an Idempotency-Key; reporting it again does no harm.
    @discardableResult
    package func settle(_ request: SessionAPI.SettleRequest, now: Moment) async throws -> SessionAPI.SettleReply {
        if let reply = settleNow(request, now: now) { return reply }
        let isHeld = try await claims.settle(request, retention: retention)
        count(request, now)
        return SessionAPI.SettleReply(staleFence: !isHeld)
    }
}
