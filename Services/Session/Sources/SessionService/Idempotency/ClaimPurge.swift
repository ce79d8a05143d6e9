import BulkheadStore

// Deletes what nobody can ask for any more, in transactions so small that admissions go on between them.

extension ClaimTable {
    /// Rows deleted in one transaction.
    package static let purgeBatch = 500

    private static let expired = Statement(
        "claim.purge",
        """
        DELETE FROM claim WHERE admission IN (
            SELECT admission FROM claim
            WHERE expires_at IS NOT NULL AND expires_at <= $1 AND (CAST($2 AS TEXT) IS NULL OR tenant = $2)
            ORDER BY expires_at LIMIT $3)
        RETURNING stream_id
        """)
    private static let abandoned = Statement(
        "claim.abandoned",
        """
        DELETE FROM claim WHERE admission IN (
            SELECT admission FROM claim
            WHERE phase < 3 AND lease_until <= $1 AND (CAST($2 AS TEXT) IS NULL OR tenant = $2)
            ORDER BY lease_until LIMIT $3)
        RETURNING stream_id
        """)

    /// Deletes at most `purgeBatch` answers that have expired, or, with `all`, that are kept (of one tenant, if given), and, when
    /// none are left, claims nobody came back to for as long as answers are kept. The pieces of their streams go later.
    /// - Returns: how many.
    package static func purge(
        all: Bool = false, tenant: String? = nil, retention: Int64, _ store: any StoreTransaction
    ) throws -> Int {
        let answers = try delete(expired, before: all ? .max : store.now, tenant, store)
        return answers > 0 ? answers : try delete(abandoned, before: store.now - retention, tenant, store)
    }

    private static func delete(
        _ statement: Statement, before time: Int64, _ tenant: String?, _ store: any StoreTransaction
    ) throws -> Int {
        let deleted = try store.rows(statement, [.integer(time), .optional(tenant), .integer(purgeBatch)])
        for stream in deleted.compactMap({ $0.optionalText(0) }) { try StreamTable.discard(stream, store) }
        return deleted.count
    }
}
