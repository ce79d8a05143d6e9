import BulkheadAPI
import BulkheadCore
import NIOCore

// Admissions with an Idempotency-Key, and their ends.

extension Admission {
    /// The last step, with an Idempotency-Key.
    func claim(
        _ request: SessionAPI.AdmitRequest, _ claimant: Claimant, _ judged: SessionAPI.AdmitReply, _ deadline: MonotonicTime
    ) async throws -> SessionAPI.AdmitReply {
        var reply = judged
        let outcome = try await claims.claim(
            request, admission: judged.admissionID, tenant: claimant.key.tenant, owner: claimant.identity.text,
            retention: retention, deadline: deadline)
        guard case .admitted(let fence, let isDuplicate, let streamID) = outcome else {
            Self.refuse(outcome, &reply)
            if reply.verdict == .attach {
                reply.claimOwner = request.tenantScope ? ClaimOwner.tenant : claimant.identity.text
            }
            return reply
        }
        // The caller left while the claim was written: it will never settle an admission it does not know of.
        guard !Task.isCancelled else {
            try await claims.forget(judged.admissionID, fence: fence)
            throw CancellationError()
        }
        reply.fence = Int(fence)
        reply.streamID = streamID ?? ""
        reply.possibleDuplicate = isDuplicate
        return reply
    }

    private static func refuse(_ outcome: ClaimOutcome, _ reply: inout SessionAPI.AdmitReply) {
        reply.admissionID = ""
        reply.reserved = false
        switch outcome {
        case .admitted: preconditionFailure("bug: an admission is no refusal")
        case .running(let standing):
            reply.verdict = .idempotencyRunning
            reply.retryAfterMS = standing.retryAfter
            reply.reason = standing.whileHeld
        case .mismatch:
            reply.verdict = .idempotencyMismatch
            reply.reason = "this Idempotency-Key was used with another request: use a new key for a new request"
        case .unknown(let standing):
            reply.verdict = .outcomeUnknown
            reply.responseID = standing.requestID
            reply.reason = standing.whenUnknown
        case .notRetained(let requestID):
            reply.verdict = .notRetained
            reply.responseID = requestID
            reply.reason = "the first request was answered with more than is kept"
        case .streamGone:
            reply.verdict = .streamGone
            reply.reason = "the place named by Last-Event-ID is in a stream that is not kept, or of another run of it"
        case .attach(let stream, let after):
            reply.verdict = .attach
            reply.streamID = stream.id
            reply.fence = Int(stream.fence)
            reply.attachAfter = Int(after)
            reply.responseID = stream.head.requestID
            reply.stored = stored(stream.head)
        case .replay(let kept):
            reply.verdict = .replay
            reply.responseID = kept.requestID
            reply.stored = stored(kept)
        }
    }

    private static func stored(_ kept: KeptAnswer) -> SessionAPI.StoredAnswer {
        SessionAPI.StoredAnswer(
            status: kept.status, contentType: kept.contentType, body: kept.body, headers: kept.headers, requestID: kept.requestID)
    }

    /// Takes in how an admitted request ended.
    /// - Parameter deadline: the caller's.
    /// - Throws: what `DurableStore.transact` throws, for an admission with an Idempotency-Key; reporting it again does no harm.
    @discardableResult
    package func settle(
        _ request: SessionAPI.SettleRequest, now: Moment, deadline: MonotonicTime = .never
    ) async throws -> SessionAPI.SettleReply {
        if let reply = settleNow(request, now: now) { return reply }
        let isHeld = try await claims.settle(request, retention: retention, deadline: deadline)
        count(request, now)
        return SessionAPI.SettleReply(staleFence: !isHeld)
    }
}
