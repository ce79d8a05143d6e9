import BulkheadStore
import NIOCore

/// How a claim is shown to operators: its phase, with what nobody knows the outcome of told apart.
enum ClaimState: String, CaseIterable, Sendable {
    case reserved
    case dispatched
    case unknown
    case completed
}

/// A claim an operator asked for.
struct InspectedClaim: Sendable {
    let admission: String
    let fence: Int64
    let streamID: String?
    let state: ClaimState
    let report: ClaimReport
}

/// The rows of `claim` for operators.
enum ClaimInspection {
    /// The state as a number: 1 reserved, 2 dispatched, 3 completed, 4 unknown, at the time `$1`.
    private static let stateNumber = """
        CASE WHEN phase < 3 AND lease_until <= $1 AND (phase = 2 OR is_duplicate = 1) THEN 4 ELSE phase END
        """
    private static let columns = """
        tenant, owner, route, \(stateNumber), status,
        coalesce(length(body), 0)
            + coalesce((SELECT max(piece.end_byte) FROM stream_piece AS piece WHERE piece.stream_id = claim.stream_id), 0),
        created_at, expires_at, fence, is_duplicate, request_id
        """
    private static let isPresent = "coalesce(expires_at > $1, lease_until > $1 - CAST($2 AS BIGINT))"

    private static let newest = Statement(
        "claim.list",
        """
        SELECT \(columns) FROM claim WHERE admission IN (
            SELECT admission FROM claim
            WHERE \(isPresent) AND (CAST($3 AS TEXT) IS NULL OR tenant = $3)
                AND (CAST($4 AS BIGINT) IS NULL OR \(stateNumber) = $4)
            ORDER BY created_at DESC LIMIT $5)
        ORDER BY created_at DESC
        """)
    private static let one = Statement(
        "claim.show",
        """
        SELECT \(columns), admission, stream_id, lease_until, dispatched_at, completed_at, is_retained, is_incomplete,
            (SELECT max(piece.seq_to) FROM stream_piece AS piece WHERE piece.stream_id = claim.stream_id)
        FROM claim WHERE \(isPresent) AND tenant = $3 AND key_hash = $4
        """)
    private static let delete = Statement("claim.free", "DELETE FROM claim WHERE admission = $1 AND fence = $2")

    static func list(
        _ tenant: String?, _ state: ClaimState?, limit: Int, retention: Int64, _ store: any StoreTransaction
    ) throws -> [IdempotencyReport] {
        try store.rows(
            newest,
            [.integer(store.now), .integer(retention), .optional(tenant), .optional(state.map(number)), .integer(limit)]
        ).map(summary)
    }

    static func find(
        _ tenant: String, _ hash: [UInt8], retention: Int64, _ store: any StoreTransaction
    ) throws -> InspectedClaim? {
        try store.rows(one, [.integer(store.now), .integer(retention), .text(tenant), .bytes(hash)]).first.map { row in
            let streamID = row.optionalText(12)
            let report = ClaimReport(
                summary: summary(row), leaseUntil: row.integer(13), dispatchedAt: row.optionalInteger(14),
                completedAt: row.optionalInteger(15), retained: row.bool(16),
                streamPieces: streamID.map { _ in Int(row.integer(18)) }, incomplete: row.bool(17))
            return InspectedClaim(
                admission: row.text(11), fence: row.integer(8), streamID: streamID, state: state(row.integer(3)), report: report)
        }
    }

    /// Deletes the claim, whatever its state.
    static func free(_ claim: InspectedClaim, _ store: any StoreTransaction) throws {
        try store.run(delete, [.text(claim.admission), .integer(claim.fence)])
        if let stream = claim.streamID { try StreamTable.discard(stream, store) }
    }

    private static func summary(_ row: SQLRow) -> IdempotencyReport {
        IdempotencyReport(
            tenant: row.text(0), owner: row.text(1), route: row.text(2), state: state(row.integer(3)).rawValue,
            status: row.optionalInteger(4).map { Int($0) }, bytes: Int(row.integer(5)), startedAt: row.integer(6),
            expiresAt: row.optionalInteger(7), fence: row.integer(8), possibleDuplicate: row.bool(9), requestID: row.text(10))
    }

    private static func state(_ number: Int64) -> ClaimState {
        switch number {
        case 1: .reserved
        case 2: .dispatched
        case 3: .completed
        default: .unknown
        }
    }

    private static func number(_ state: ClaimState) -> Int64 {
        switch state {
        case .reserved: 1
        case .dispatched: 2
        case .completed: 3
        case .unknown: 4
        }
    }
}
