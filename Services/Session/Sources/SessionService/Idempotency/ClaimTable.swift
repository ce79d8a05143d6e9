import BulkheadStore
import NIOCore

/// The rows of `claim`.
///
/// ABSENT → (claim) RESERVED → (dispatch) DISPATCHED → (complete) COMPLETED → (expiry) ABSENT.
/// RESERVED or DISPATCHED → (release) ABSENT. RESERVED whose lease is over → (claim) RESERVED under the next fence: nothing was
/// sent out. DISPATCHED whose lease is over is unknown: it stays so until its retention is over, unless a caller asks for a
/// rerun, → RESERVED, a possible duplicate. Such a one that is released, or whose lease is over, before it was dispatched is
/// unknown again: that its first run may have been billed is not forgotten. A word under an earlier fence changes nothing.
///
/// Times are the store's. A claim that is held never expires; one that has expired and was not purged yet is absent.
package enum ClaimTable {
    /// How long a claim is held without word from edge, in milliseconds; edge renews every ten seconds.
    package static let lease: Int64 = 30_000
    /// The largest body kept for replay, in bytes.
    package static let maximumBody = 4 << 20
    /// What clocks of hosts that share a store may differ by, in milliseconds.
    private static let clockTolerance: Int64 = 1_000

    private static let take = Statement(
        "claim.take",
        """
        INSERT INTO claim (tenant, key_hash, owner, route, request_digest, admission, holder, request_id, stream_id,
            lease_until, fence, phase, created_at, is_retained, is_duplicate, last_seq, is_full, is_incomplete)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 1, $11, 0, 0, 0, 0, 0)
        ON CONFLICT (tenant, key_hash) DO UPDATE SET owner = excluded.owner, route = excluded.route,
            request_digest = excluded.request_digest, admission = excluded.admission, holder = excluded.holder,
            request_id = excluded.request_id, stream_id = excluded.stream_id, former_stream = claim.stream_id,
            lease_until = excluded.lease_until, fence = claim.fence + 1, phase = 1, created_at = excluded.created_at,
            dispatched_at = NULL, completed_at = NULL, expires_at = NULL, status = NULL, content_type = NULL, headers = NULL,
            body = NULL, is_retained = 0, last_seq = 0, is_full = 0, is_incomplete = 0,
            is_duplicate = CASE WHEN claim.phase < 3 AND CAST($13 AS BIGINT) = 1 AND (claim.phase = 2 OR claim.is_duplicate = 1)
                AND claim.request_digest = excluded.request_digest THEN 1 ELSE 0 END
        WHERE claim.expires_at <= $11
            OR (claim.phase < 3 AND claim.lease_until <= $11 - CAST($12 AS BIGINT))
            OR (claim.phase < 3 AND claim.lease_until <= $11 AND claim.request_digest = excluded.request_digest
                AND (CAST($13 AS BIGINT) = 1 OR (claim.phase = 1 AND claim.is_duplicate = 0)))
        RETURNING fence, is_duplicate, former_stream
        """)
    private static let find = Statement(
        "claim.find",
        """
        SELECT admission, request_digest, fence, phase, lease_until, expires_at, is_retained, is_duplicate, stream_id, last_seq,
            request_id, status, content_type, headers, body, created_at, dispatched_at, holder
        FROM claim WHERE tenant = $1 AND key_hash = $2
        """)
    private static let shorten = Statement(
        "claim.shorten", "UPDATE claim SET lease_until = $3 WHERE tenant = $1 AND key_hash = $2 AND lease_until > $3")

    /// Takes the claim, or says why not. Of parallel callers one wins.
    package static func claim(_ wanted: Claim) -> StoreOperation<ClaimOutcome> {
        guard wanted.isRunnable else {
            return StoreOperation(FirstStatement(find, row: wanted.keyHash) { _ in place(of: wanted) }) { rows, store in
                try refusal(of: wanted, rows.first, store)
            }
        }
        return StoreOperation(FirstStatement(take, row: wanted.keyHash) { values(of: wanted, $0) }) { rows, store in
            guard let row = rows.first else {
                return try refusal(of: wanted, try store.rows(find, place(of: wanted)).first, store)
            }
            if let former = row.optionalText(2) { try StreamTable.discard(former, store) }
            return .admitted(fence: row.integer(0), isDuplicate: row.bool(1), streamID: wanted.streamID)
        }
    }

    private static func place(of wanted: Claim) -> [SQLValue] { [.text(wanted.tenant), .bytes(wanted.keyHash)] }

    /// Why the claim, found as it is in `row`, is not to be had.
    private static func refusal(of wanted: Claim, _ row: SQLRow?, _ store: any StoreTransaction) throws -> ClaimOutcome {
        let row = row.map(ClaimRow.init)
        guard let row, !row.isExpired(store.now, wanted.retention) else {
            // Gone between the two statements: it can be claimed.
            let present = ClaimStanding(
                requestID: "", startedAt: store.now, dispatchedAt: nil, leaseUntil: store.now + lease, now: store.now)
            return wanted.isRunnable ? .running(present) : .streamGone
        }
        guard row.digest == wanted.digest else { return .mismatch }
        if row.phase != .completed, row.leaseUntil > store.now + lease + clockTolerance {
            // Written under a clock that was ahead: from now on it counts as any other.
            try store.run(shorten, [.text(wanted.tenant), .bytes(wanted.keyHash), .integer(store.now + lease)])
        }
        return outcome(row, wanted, store.now)
    }

    private static func values(of wanted: Claim, _ now: Int64) -> [SQLValue] {
        [
            .text(wanted.tenant), .bytes(wanted.keyHash), .text(wanted.owner), .text(wanted.route), .bytes(wanted.digest),
            .text(wanted.admission), .integer(wanted.holder), .text(wanted.requestID), .optional(wanted.streamID),
            .integer(now + lease), .integer(now), .integer(wanted.retention), .bool(wanted.rerunsUnknown),
        ]
    }

    private static func outcome(_ row: ClaimRow, _ wanted: Claim, _ now: Int64) -> ClaimOutcome {
        // The same admission, asked for again as its reply was lost.
        if row.admission == wanted.admission, row.phase == .reserved {
            return .admitted(fence: row.fence, isDuplicate: row.isDuplicate, streamID: row.streamID)
        }
        if row.phase == .completed, !row.isRetained { return .notRetained(requestID: row.requestID) }
        guard let stream = row.stream else {
            if row.phase == .completed { return .replay(row.answer) }
            return open(row, wanted, now)
        }
        if let place = wanted.place { return attached(row, stream, place, wanted, now) }
        if row.phase == .completed { return .attach(stream, after: 0) }
        return open(row, wanted, now)
    }

    private static func open(_ row: ClaimRow, _ wanted: Claim, _ now: Int64) -> ClaimOutcome {
        let standing = row.standing(for: wanted, now)
        return row.isUnknown(now) ? .unknown(standing) : .running(standing)
    }

    private static func attached(
        _ row: ClaimRow, _ stream: KeptStream, _ place: StreamPlace, _ wanted: Claim, _ now: Int64
    ) -> ClaimOutcome {
        guard place.isIn(stream) else { return .streamGone }
        if row.phase == .completed {
            return place.seq <= row.lastSeq ? .attach(stream, after: place.seq) : .streamGone
        }
        // With the place given up, the caller may run it anew.
        if row.isUnknown(now) { return wanted.rerunsUnknown ? .streamGone : .unknown(row.standing(for: wanted, now)) }
        return row.leaseUntil > now ? .attach(stream, after: place.seq) : .streamGone
    }
}

/// A claim as it is stored.
private struct ClaimRow {
    let admission: String
    let digest: ByteBuffer
    let fence: Int64
    let phase: ClaimPhase
    let leaseUntil: Int64
    let expiresAt: Int64?
    let isRetained: Bool
    let isDuplicate: Bool
    let streamID: String?
    let lastSeq: Int64
    let requestID: String
    let answer: KeptAnswer
    let createdAt: Int64
    let dispatchedAt: Int64?
    /// The run of edge that holds it.
    let holder: Int64

    init(_ row: SQLRow) {
        admission = row.text(0)
        digest = row.bytes(1)
        fence = row.integer(2)
        // A number of a later version is taken for the phase that allows least.
        phase = ClaimPhase(rawValue: row.integer(3)) ?? .dispatched
        leaseUntil = row.integer(4)
        expiresAt = row.optionalInteger(5)
        isRetained = row.bool(6)
        isDuplicate = row.bool(7)
        streamID = row.optionalText(8)
        lastSeq = row.integer(9)
        requestID = row.text(10)
        answer = KeptAnswer(
            status: Int(row.integer(11)), contentType: row.text(12), headers: ClaimTable.lines(row.text(13)), body: row.bytes(14),
            requestID: row.text(10))
        createdAt = row.integer(15)
        dispatchedAt = row.optionalInteger(16)
        holder = row.integer(17)
    }

    func standing(for wanted: Claim, _ now: Int64) -> ClaimStanding {
        let isOrphan = wanted.isAlone && holder != 0 && wanted.holder != 0 && holder != wanted.holder
        return ClaimStanding(
            requestID: requestID, startedAt: createdAt, dispatchedAt: dispatchedAt, leaseUntil: leaseUntil,
            isDuplicate: isDuplicate, isStream: streamID != nil, isOrphan: isOrphan, now: now)
    }

    var stream: KeptStream? {
        streamID.map { id in
            KeptStream(id: id, fence: fence, head: phase == .completed ? answer : .runningStream(requestID))
        }
    }

    func isExpired(_ now: Int64, _ retention: Int64) -> Bool {
        phase == .completed ? (expiresAt ?? .max) <= now : leaseUntil <= now - retention
    }

    /// Something may have been sent out, and whoever did is gone.
    func isUnknown(_ now: Int64) -> Bool {
        leaseUntil <= now && (phase == .dispatched || phase == .reserved && isDuplicate)
    }
}

extension ClaimTable {
    /// Headers as they are stored.
    static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}
