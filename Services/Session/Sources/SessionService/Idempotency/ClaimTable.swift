import BulkheadStore
import NIOCore

/// The rows of `claim`.
///
/// ABSENT → (claim) RESERVED → (dispatch) DISPATCHED → (complete) COMPLETED → (expiry) ABSENT.
/// RESERVED or DISPATCHED → (release) ABSENT. RESERVED whose lease is over → (claim) RESERVED under the next fence: nothing was
/// sent out. DISPATCHED whose lease is over is unknown: it stays so until its retention is over, unless a caller asks for a
/// rerun. A word under an earlier fence changes nothing.
package enum ClaimTable {
    /// How long a claim is held without word from edge, in milliseconds; edge renews every ten seconds.
    package static let lease: Int64 = 30_000
    /// The largest body kept for replay, in bytes.
    package static let maximumBody = 4 << 20
    /// Rows deleted in one transaction.
    static let purgeBatch = 500

    /// A lease beyond this was written under a clock that was ahead: it counts as over.
    private static let isOver = "(claim.lease_until <= $12 OR claim.lease_until > $12 + 60000)"
    private static let take = Statement(
        "claim.take",
        """
        INSERT INTO claim (tenant, key_hash, owner, route, request_digest, admission, holder, request_id, stream_id,
            lease_until, fence, phase, created_at, is_retained, is_duplicate, last_seq, is_incomplete)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, 0, 0, 0, 0)
        ON CONFLICT (tenant, key_hash) DO UPDATE SET owner = excluded.owner, route = excluded.route,
            request_digest = excluded.request_digest, admission = excluded.admission, holder = excluded.holder,
            request_id = excluded.request_id, stream_id = excluded.stream_id, lease_until = excluded.lease_until,
            fence = claim.fence + 1, phase = 1, created_at = excluded.created_at, dispatched_at = NULL, completed_at = NULL,
            expires_at = NULL, status = NULL, content_type = NULL, headers = NULL, body = NULL, is_retained = 0,
            is_duplicate = CASE WHEN claim.phase = 2 AND claim.request_digest = excluded.request_digest THEN 1 ELSE 0 END,
            last_seq = 0, is_incomplete = 0
        WHERE claim.expires_at <= $12
            OR (claim.phase < 3 AND claim.lease_until <= $12 - CAST($13 AS BIGINT))
            OR (claim.phase = 1 AND \(isOver) AND claim.request_digest = excluded.request_digest)
            OR (claim.phase = 2 AND CAST($14 AS BIGINT) = 1 AND \(isOver) AND claim.request_digest = excluded.request_digest)
        RETURNING fence, is_duplicate
        """)
    private static let find = Statement(
        "claim.find",
        """
        SELECT request_digest, phase, lease_until, status, content_type, headers, body, is_retained, stream_id, request_id
        FROM claim WHERE tenant = $1 AND key_hash = $2
        """)

    /// Takes the claim, or says why not. Of parallel callers one wins.
    static func claim(_ wanted: Claim, _ store: any StoreTransaction) throws -> ClaimOutcome {
        let taken = try store.rows(
            take,
            [
                .text(wanted.tenant), .bytes(wanted.keyHash), .text(wanted.owner), .text(wanted.route), .bytes(wanted.digest),
                .text(wanted.admission), .integer(wanted.holder), .text(wanted.requestID), .optional(wanted.streamID),
                .integer(store.now + lease), .integer(1), .integer(store.now), .integer(wanted.retention),
                .bool(wanted.rerunsUnknown),
            ])
        if let row = taken.first { return .admitted(fence: row.integer(0), isDuplicate: row.bool(1)) }
        guard let row = try store.rows(find, [.text(wanted.tenant), .bytes(wanted.keyHash)]).first else {
            return .running(streamID: nil)
        }
        guard row.bytes(0) == wanted.digest else { return .mismatch }
        return outcome(row, store.now)
    }

    private static func outcome(_ row: SQLRow, _ now: Int64) -> ClaimOutcome {
        switch ClaimPhase(rawValue: row.integer(1)) {
        case .completed: return completed(row)
        case .dispatched where row.integer(2) <= now || row.integer(2) > now + 2 * lease: return .unknown
        default: return .running(streamID: row.optionalText(8))
        }
    }

    private static func completed(_ row: SQLRow) -> ClaimOutcome {
        guard row.bool(7) else { return .notRetained(requestID: row.text(9)) }
        if let stream = row.optionalText(8) { return .stream(id: stream) }
        return .replay(
            KeptAnswer(
                status: Int(row.integer(3)), contentType: row.text(4),
                headers: row.text(5).split(separator: "\n").map(String.init), body: row.bytes(6), requestID: row.text(9)))
    }
}

// MARK: what becomes of a claim

extension ClaimTable {
    private static let dispatched = Statement(
        "claim.dispatch",
        """
        UPDATE claim SET phase = 2, dispatched_at = $3, lease_until = $4 WHERE admission = $1 AND fence = $2 AND phase < 3
        """)
    private static let renewed = Statement(
        "claim.renew", "UPDATE claim SET lease_until = $3 WHERE admission = $1 AND fence = $2 AND phase < 3")
    private static let finished = Statement(
        "claim.complete",
        """
        UPDATE claim SET phase = 3, completed_at = $3, expires_at = $4, status = $5, content_type = $6, headers = $7, body = $8,
            is_retained = $9, last_seq = $10, is_incomplete = $11
        WHERE admission = $1 AND fence = $2 AND phase < 3
        """)
    private static let isFinished = Statement(
        "claim.finished", "SELECT phase FROM claim WHERE admission = $1 AND fence = $2 AND phase = 3")
    private static let released = Statement(
        "claim.release", "DELETE FROM claim WHERE admission = $1 AND fence = $2 AND phase < 3")

    /// From now on something may have been sent out. - Returns: false when another admission holds the claim.
    static func dispatch(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws -> Bool {
        try store.run(
            dispatched, [.text(admission), .integer(fence), .integer(store.now), .integer(store.now + lease)]) == 1
    }

    /// Holds the claim for another lease. - Returns: false when another admission holds it, or it is completed.
    static func renew(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws -> Bool {
        try store.run(renewed, [.text(admission), .integer(fence), .integer(store.now + lease)]) == 1
    }

    /// Keeps the answer of a run. Once kept it stays: a second report changes nothing.
    /// - Parameters:
    ///   - answer: nil: it was more than is kept.
    ///   - expires: milliseconds since 1970.
    /// - Returns: false when another admission holds the claim.
    static func complete(
        _ admission: String, fence: Int64, _ answer: KeptAnswer?, end: ClaimEnd = ClaimEnd(), expires: Int64,
        _ store: any StoreTransaction
    ) throws -> Bool {
        let headers = answer.map { $0.headers.map { $0.filter { !$0.isNewline } }.joined(separator: "\n") }
        let changed = try store.run(
            finished,
            [
                .text(admission), .integer(fence), .integer(store.now), .integer(expires), .optional(answer?.status),
                .optional(answer?.contentType), .optional(headers), .optional(answer?.body), .bool(answer != nil),
                .integer(end.lastSeq), .bool(end.isIncomplete),
            ])
        if changed == 1 { return true }
        return try !store.rows(isFinished, [.text(admission), .integer(fence)]).isEmpty
    }

    /// Gives the key free: the run left nothing to replay.
    static func release(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws {
        try store.run(released, [.text(admission), .integer(fence)])
    }

    private static let purged = Statement(
        "claim.purge",
        """
        DELETE FROM claim WHERE admission IN (
            SELECT admission FROM claim
            WHERE ((expires_at IS NOT NULL AND (CAST($1 AS BIGINT) = 1 OR expires_at <= $2))
                    OR (phase < 3 AND lease_until <= $2 - CAST($3 AS BIGINT)))
                AND (CAST($4 AS TEXT) IS NULL OR tenant = $4) LIMIT $5)
        """)

    /// Deletes at most `purgeBatch` answers that have expired, or, with `all`, that are kept (of one tenant, if given), and
    /// claims nobody came back to for as long as answers are kept.
    /// - Returns: how many.
    static func purge(
        all: Bool = false, tenant: String? = nil, retention: Int64, _ store: any StoreTransaction
    ) throws -> Int {
        try store.run(
            purged, [.bool(all), .integer(store.now), .integer(retention), .optional(tenant), .integer(purgeBatch)])
    }
}

/// How a kept stream ended.
struct ClaimEnd: Sendable {
    /// The number of its last piece.
    var lastSeq: Int64 = 0
    /// It broke off.
    var isIncomplete = false
}
