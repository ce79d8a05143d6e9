import BulkheadStore
import NIOCore

// What becomes of a claim that is held. All words on it carry its admission and fence.

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
    private static let unknownAgain = Statement(
        "claim.unknown",
        """
        UPDATE claim SET phase = 2, lease_until = $3 WHERE admission = $1 AND fence = $2 AND phase = 1
        RETURNING stream_id
        """)

    /// From now on something may have been sent out. - Returns: false when another admission holds the claim.
    package static func dispatch(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws -> Bool {
        try store.run(
            dispatched, [.text(admission), .integer(fence), .integer(store.now), .integer(store.now + lease)]) == 1
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
    ///   - end: nil: the answer is no stream.
    ///   - expires: milliseconds since 1970.
    package static func complete(
        _ admission: String, fence: Int64, _ answer: KeptAnswer?, end: ClaimEnd? = nil, expires: Int64,
        _ store: any StoreTransaction
    ) throws -> ClaimChange {
        let stream = try end.map { try StreamTable.kept($0, admission, fence: fence, store) }
        let kept = stream?.isWhole ?? true ? answer : nil
        let headers = kept.map { $0.headers.map { $0.filter { !$0.isNewline } }.joined(separator: "\n") }
        let changed = try store.rows(
            finished,
            [
                .text(admission), .integer(fence), .integer(store.now), .integer(expires), .optional(kept?.status),
                .optional(kept?.contentType), .optional(headers), .optional(kept?.body), .bool(kept != nil),
                .integer(stream?.lastSeq ?? 0), .bool(end?.isIncomplete ?? false), .bool(end != nil),
            ])
        guard let row = changed.first else {
            return ClaimChange(isHeld: try phase(admission, fence, store) == .completed)
        }
        let streamID = row.optionalText(0)
        if let streamID, end == nil || kept == nil { try StreamTable.discard(streamID, store) }
        return ClaimChange(isHeld: true, streamID: streamID)
    }

    /// Gives the key free: the run left nothing to replay. Given free already, it changes nothing.
    package static func release(_ admission: String, fence: Int64, _ store: any StoreTransaction) throws -> ClaimChange {
        let held: [SQLValue] = [.text(admission), .integer(fence)]
        guard let row = try store.rows(released, held).first else {
            let again = try store.rows(unknownAgain, held + [.integer(store.now)])
            let isEnded = try again.isEmpty && phase(admission, fence, store) == .completed
            return ClaimChange(isHeld: !isEnded, streamID: again.first?.optionalText(0))
        }
        let streamID = row.optionalText(0)
        if let streamID { try StreamTable.discard(streamID, store) }
        return ClaimChange(isHeld: true, streamID: streamID)
    }

    private static func phase(_ admission: String, _ fence: Int64, _ store: any StoreTransaction) throws -> ClaimPhase? {
        try store.rows(phaseOf, [.text(admission), .integer(fence)]).first.flatMap { ClaimPhase(rawValue: $0.integer(0)) }
    }
}
