import BulkheadStore
import NIOCore

// What becomes of a claim that is held. All words on it carry its admission and fence.

extension ClaimTable {
    private static let dispatched = Statement(
        "claim.dispatch",
        """
        UPDATE claim SET phase = 2, dispatched_at = $3, lease_until = $4 WHERE admission = $1 AND fence = $2 AND phase < 3
        RETURNING phase
        """)
    private static let renewed = Statement(
        "claim.renew", "UPDATE claim SET lease_until = $3 WHERE admission = $1 AND fence = $2 AND phase < 3")
    private static let finished = Statement(
        "claim.complete",
        """
        UPDATE claim SET phase = 3, completed_at = $3, expires_at = $4, status = $5, content_type = $6, headers = $7, body = $8,
            is_retained = $9, last_seq = $10, is_incomplete = $11, former_stream = stream_id,
            stream_id = CASE WHEN CAST($12 AS BIGINT) = 1 THEN stream_id ELSE NULL END
        WHERE admission = $1 AND fence = $2 AND phase < 3
        RETURNING former_stream
        """)
    private static let phaseOf = Statement("claim.phase", "SELECT phase FROM claim WHERE admission = $1 AND fence = $2")
    private static let released = Statement(
        "claim.release",
        """
        DELETE FROM claim WHERE admission = $1 AND fence = $2 AND phase < 3 AND NOT (phase = 1 AND is_duplicate = 1)
        RETURNING stream_id
        """)
    private static let abandoned = Statement(
        "claim.abandon",
        """
        UPDATE claim SET lease_until = dispatched_at WHERE admission = $1 AND fence = $2 AND phase = 2 AND dispatched_at IS NOT NULL
        RETURNING stream_id
        """)
    private static let unknownAgain = Statement(
        "claim.unknown",
        """
        UPDATE claim SET phase = 2, lease_until = $3 WHERE admission = $1 AND fence = $2 AND phase = 1
        RETURNING stream_id
        """)

    /// From now on something may have been sent out. - Returns: false when another admission holds the claim.
    package static func dispatch(_ admission: String, fence: Int64) -> StoreOperation<Bool> {
        let first = FirstStatement(dispatched, row: admission.utf8) { now in
            [.text(admission), .integer(fence), .integer(now), .integer(now + lease)]
        }
        return StoreOperation(first) { rows, _ in !rows.isEmpty }
    }

    /// Holds the claim for another lease. - Returns: false when another admission holds it, or nobody does. One that was
    /// completed meanwhile is not lost.
    package static func renew(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws -> Bool {
        if try store.run(renewed, [.text(admission), .integer(fence), .integer(store.now + lease)]) == 1 { return true }
        return try phase(admission, fence, store) != nil
    }

    /// Keeps the answer of a run. Once kept it stays: a second report changes nothing.
    /// - Parameters:
    ///   - answer: nil: it was more than is kept.
    ///   - retention: how long it is kept, in milliseconds.
    package static func complete(
        _ admission: String, fence: Int64, _ answer: KeptAnswer?, retention: Int64
    ) -> StoreOperation<ClaimChange> {
        let first = FirstStatement(finished, row: admission.utf8, bytes: answer?.body.readableBytes ?? 0) { now in
            end(admission, fence, answer, now, expires: now + retention)
        }
        return StoreOperation(first) { try ended(admission, fence, $0, keepsStream: false, $1) }
    }

    /// Keeps the end of a stream's run.
    /// - Parameter expires: milliseconds since 1970.
    package static func complete(
        _ admission: String, fence: Int64, _ answer: KeptAnswer?, end: ClaimEnd, expires: Int64, _ store: any StoreTransaction
    ) throws -> ClaimChange {
        let stream = try StreamTable.kept(end, admission, fence: fence, store)
        let kept = stream.isWhole ? answer : nil
        let values = Self.end(
            admission, fence, kept, store.now, expires: expires, lastSeq: stream.lastSeq, isIncomplete: end.isIncomplete,
            isStream: true)
        return try ended(admission, fence, try store.rows(finished, values), keepsStream: kept != nil, store)
    }

    private static func end(
        _ admission: String, _ fence: Int64, _ kept: KeptAnswer?, _ now: Int64, expires: Int64, lastSeq: Int64 = 0,
        isIncomplete: Bool = false, isStream: Bool = false
    ) -> [SQLValue] {
        let headers = kept.map { $0.headers.map { $0.filter { !$0.isNewline } }.joined(separator: "\n") }
        return [
            .text(admission), .integer(fence), .integer(now), .integer(expires), .optional(kept?.status),
            .optional(kept?.contentType), .optional(headers), .optional(kept?.body), .bool(kept != nil), .integer(lastSeq),
            .bool(isIncomplete), .bool(isStream),
        ]
    }

    private static func ended(
        _ admission: String, _ fence: Int64, _ changed: [SQLRow], keepsStream: Bool, _ store: any StoreTransaction
    ) throws -> ClaimChange {
        guard let row = changed.first else {
            return ClaimChange(isHeld: try phase(admission, fence, store) == .completed)
        }
        let streamID = row.optionalText(0)
        if let streamID, !keepsStream { try StreamTable.discard(streamID, store) }
        return ClaimChange(isHeld: true, streamID: streamID)
    }

    /// Gives the key free: the run left nothing to replay. Given free already, it changes nothing.
    package static func release(_ admission: String, fence: Int64) -> StoreOperation<ClaimChange> {
        let held: [SQLValue] = [.text(admission), .integer(fence)]
        return StoreOperation(FirstStatement(released, row: admission.utf8) { _ in held }) { rows, store in
            guard let row = rows.first else {
                let again = try store.rows(unknownAgain, held + [.integer(store.now)])
                let isEnded = try again.isEmpty && phase(admission, fence, store) == .completed
                return ClaimChange(isHeld: !isEnded, streamID: again.first?.optionalText(0))
            }
            let streamID = row.optionalText(0)
            if let streamID { try StreamTable.discard(streamID, store) }
            return ClaimChange(isHeld: true, streamID: streamID)
        }
    }

    /// What was sent out has ended, and nobody will learn how: unknown from now on. Whoever holds the claim meanwhile keeps it.
    package static func abandon(_ admission: String, fence: Int64) -> StoreOperation<ClaimChange> {
        let first = FirstStatement(abandoned, row: admission.utf8) { _ in [.text(admission), .integer(fence)] }
        return StoreOperation(first) { rows, _ in ClaimChange(isHeld: true, streamID: rows.first?.optionalText(0)) }
    }

    private static func phase(_ admission: String, _ fence: Int64, _ store: any StoreTransaction) throws -> ClaimPhase? {
        try store.rows(phaseOf, [.text(admission), .integer(fence)]).first.flatMap { ClaimPhase(rawValue: $0.integer(0)) }
    }
}
