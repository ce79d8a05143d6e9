import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit
import BulkheadStore
import Crypto
import NIOCore

/// Admissions with an Idempotency-Key: one of equal requests runs, the others are told what became of it.
package struct ClaimDesk: Sendable {
    let store: any DurableStore
    /// Who reads kept streams.
    package let followers: StreamFollowers
    private let pepper = StoredSecret("claim pepper")
    private let metrics: SessionMetrics

    /// Claims one renewal may name.
    private static let maximumHeld = 16_384
    /// Claims renewed in one transaction, so that admissions go on between.
    private static let renewalBatch = 512

    private init(store: any DurableStore, metrics: SessionMetrics) {
        self.store = store
        followers = StreamFollowers()
        self.metrics = metrics
    }

    /// Reads the secret that hides Idempotency-Keys, or makes it at the store's first use. With a server that is away it is read
    /// by the first claim after its return.
    package static func open(_ store: any DurableStore, metrics: SessionMetrics = SessionMetrics()) async throws -> ClaimDesk {
        let desk = ClaimDesk(store: store, metrics: metrics)
        do {
            _ = try await desk.pepper.value(store)
        } catch let error as CallError where store.kind == .postgres && error.code == .unavailable {
            return desk
        }
        return desk
    }

    /// What is stored in place of an Idempotency-Key.
    /// - Throws: what `DurableStore.transact` throws, at its first use.
    func hash(_ scope: ClaimScope) async throws -> [UInt8] { scope.hash(try await pepper.value(store)) }

    /// Claims the request's Idempotency-Key for `admission`.
    /// - Parameters:
    ///   - owner: whose it is, within the tenant.
    ///   - retention: how long an outcome nobody knows is told to be so, in milliseconds.
    ///   - deadline: the caller's.
    /// - Throws: INVALID_ARGUMENT for a malformed request; what `DurableStore.transact` throws.
    package func claim(
        _ request: SessionAPI.AdmitRequest, admission: String, tenant: String, owner: String, retention: Int64,
        deadline: MonotonicTime = .never
    ) async throws -> ClaimOutcome {
        guard let key = request.idempotencyKey else { throw CallError(.internal, message: "a claim without a key") }
        let digest = try Self.validated(key, request.requestDigest)
        let owner = request.tenantScope ? ClaimOwner.tenant : owner
        let place = request.streams ? request.lastEventID.flatMap { $0.isEmpty ? nil : StreamPlace($0) } : nil
        let keyHash = try await hash(ClaimScope(tenant: tenant, owner: owner, key: key))
        var wanted = Claim(
            tenant: tenant, keyHash: keyHash, owner: owner, route: request.route,
            digest: digest, admission: admission, holder: Int64(request.edgeRun), requestID: request.requestID,
            streamID: request.streams ? Self.newStreamID() : nil, rerunsUnknown: request.rerunsUnknown, place: place,
            retention: retention)
        wanted.isAlone = store.kind == .sqlite
        let claim = ClaimTable.claim(wanted).map { outcome in
            Failpoint.pass("session.claim.before_commit")
            return outcome
        }
        let outcome = try await store.transact(deadline: deadline, claim)
        Failpoint.pass("session.claim.committed")
        return outcome
    }

    /// Gives a claim back that its caller never heard of.
    func forget(_ admission: String, fence: Int64) async throws {
        _ = try await store.transact(deadline: .never, ClaimTable.release(admission, fence: fence))
    }

    /// - Throws: what `DurableStore.transact` throws.
    package func dispatch(
        _ request: SessionAPI.DispatchRequest, deadline: MonotonicTime = .never
    ) async throws -> SessionAPI.DispatchReply {
        let isHeld = try await store.transact(
            deadline: deadline, ClaimTable.dispatch(request.admissionID, fence: Int64(request.fence)))
        Failpoint.pass("session.dispatch.committed")
        if !isHeld { metrics.staleFence() }
        return SessionAPI.DispatchReply(staleFence: !isHeld)
    }

    /// - Throws: INVALID_ARGUMENT for too many at once; what `DurableStore.transact` throws.
    package func renew(_ held: [SessionAPI.Held], deadline: MonotonicTime = .never) async throws -> SessionAPI.RenewReply {
        guard held.count <= Self.maximumHeld else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "\(held.count) claims are named, \(Self.maximumHeld) may be: renew them in several calls")
        }
        // In one order, so that no two who renew wait for each other.
        var (rest, lost) = (held.sorted { $0.admissionID < $1.admissionID }[...], [String]())
        while !rest.isEmpty {
            let batch = rest.prefix(Self.renewalBatch)
            lost += try await store.transact(deadline: deadline) { transaction in
                try batch.filter { try !ClaimTable.renew($0.admissionID, fence: Int64($0.fence), transaction) }
                    .map(\.admissionID)
            }
            rest = rest.dropFirst(batch.count)
        }
        for _ in lost { metrics.staleFence() }
        return SessionAPI.RenewReply(lost: lost)
    }

    /// Takes in how a claimed request ended. Reported again, it changes nothing.
    /// - Returns: false when another admission holds the claim.
    /// - Throws: what `DurableStore.transact` throws.
    package func settle(
        _ request: SessionAPI.SettleRequest, retention: Int64, deadline: MonotonicTime = .never
    ) async throws -> Bool {
        let change = try await end(request, retention, deadline)
        Failpoint.pass("session.complete.committed")
        if let stream = change.streamID { followers.wake(stream) }
        if !change.isHeld { metrics.staleFence() }
        return change.isHeld
    }

    private func end(
        _ request: SessionAPI.SettleRequest, _ retention: Int64, _ deadline: MonotonicTime
    ) async throws -> ClaimChange {
        let (admission, fence) = (request.admissionID, Int64(request.fence))
        if request.outcomeUnknown {
            return try await store.transact(deadline: deadline, ClaimTable.abandon(admission, fence: fence).map(Self.ending))
        }
        guard let answer = request.answer else {
            return try await store.transact(deadline: deadline, ClaimTable.release(admission, fence: fence).map(Self.ending))
        }
        let body = answer.body ?? ByteBuffer()
        let answered = KeptAnswer(status: answer.status, contentType: answer.contentType, headers: answer.headers, body: body)
        let kept = body.readableBytes <= ClaimTable.maximumBody ? answered : nil
        guard let told = request.streamEnd else {
            let complete = ClaimTable.complete(admission, fence: fence, kept, retention: retention).map(Self.ending)
            return try await store.transact(deadline: deadline, complete)
        }
        let end = ClaimEnd(lastSeq: Int64(told.lastSeq), isIncomplete: told.incomplete, isTruncated: told.truncated)
        return try await store.transact(deadline: deadline) { transaction in
            Self.ending(
                try ClaimTable.complete(
                    admission, fence: fence, kept, end: end, expires: transaction.now + retention, transaction))
        }
    }

    @Sendable
    private static func ending(_ change: ClaimChange) -> ClaimChange {
        Failpoint.pass("session.complete.before_commit")
        return change
    }

    private static func newStreamID() -> String {
        "st_" + APIKey.base64URL(SymmetricKey(size: .bits256).withUnsafeBytes { Array($0.prefix(18)) })
    }

    private static func validated(_ key: String, _ digest: ByteBuffer?) throws -> ByteBuffer {
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
        return digest
    }
}

// MARK: kept streams

extension ClaimDesk {
    /// Keeps pieces of a stream; sent again, they change nothing.
    /// - Throws: INVALID_ARGUMENT for pieces that do not follow on; what `DurableStore.transact` throws.
    package func append(
        _ request: SessionAPI.AppendStreamRequest, deadline: MonotonicTime = .never
    ) async throws -> SessionAPI.AppendStreamReply {
        let pieces = try Self.pieces(request.pieces)
        let outcome = try await store.transact(deadline: deadline) {
            try StreamTable.append(pieces, to: request.streamID, request.admissionID, fence: Int64(request.fence), $0)
        }
        switch outcome {
        case .kept: followers.wake(request.streamID)
        case .stale: metrics.staleFence()
        case .full: break
        }
        return SessionAPI.AppendStreamReply(staleFence: outcome == .stale, isFull: outcome == .full)
    }

    private static func pieces(_ pieces: [SessionAPI.StreamPiece]) throws -> [KeptPiece] {
        let first = pieces.first?.seq ?? 1
        for (index, piece) in pieces.enumerated() {
            guard first > 0, piece.seq == first + index, piece.bytes?.readableBytes ?? 0 > 0 else {
                throw CallError(
                    .invalidArgument, reason: "invalid_request",
                    message: "piece \(piece.seq) is empty or does not follow on: pieces count from 1, without gaps")
            }
        }
        return pieces.map { KeptPiece(seq: Int64($0.seq), bytes: $0.bytes ?? ByteBuffer()) }
    }

    /// Sends a kept stream, and what is added to it, until its end.
    /// - Throws: NOT_FOUND for a stream that is not there, or another tenant's or owner's; RESOURCE_EXHAUSTED; what `send` throws.
    package func read(
        _ request: SessionAPI.ReadStreamRequest, deadline: MonotonicTime = .never, on loop: any EventLoop,
        _ send: @escaping @Sendable (SessionAPI.ReadStreamReply) async throws -> Void
    ) async throws {
        let reading = StreamReading(
            store: store, followers: followers, streamID: request.streamID, tenant: request.tenant,
            owner: request.owner, deadline: deadline, loop: loop, send: send)
        metrics.followed(followers.count + 1)
        defer { metrics.followed(followers.count) }
        try await reading.run(after: Int64(request.after))
    }
}
