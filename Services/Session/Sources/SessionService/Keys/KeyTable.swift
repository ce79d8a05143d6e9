import BulkheadCore
import BulkheadStore

/// The rows of `api_key`.
package enum KeyTable {
    /// Keys session holds at most, revoked ones included: all of them are in memory.
    static let capacity = 1_000_000

    private static let columns = """
        id, digest, tenant, user_name, is_admin, may_assert_user, destinations, models, rpm, tpm, concurrency, budget_nanousd,
        budget_window_ms, created_at, expires_at, revoked_at, replaces
        """
    private static let selectAll = Statement("keys.all", "SELECT \(columns) FROM api_key")
    private static let insertKey = Statement(
        "keys.insert",
        """
        INSERT INTO api_key (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """)
    private static let updateEnds = Statement(
        "keys.end", "UPDATE api_key SET expires_at = $1, revoked_at = $2 WHERE id = $3")

    /// Every key, revoked and expired ones included.
    package static func all(_ store: any StoreTransaction) throws -> [KeyRecord] { try store.rows(selectAll, []).map(record) }

    static func insert(_ key: KeyRecord, _ store: any StoreTransaction) throws {
        try store.run(
            insertKey,
            [
                .text(key.id), .bytes(key.digest.bytes), .text(key.tenant), .optional(key.user), .bool(key.isAdmin),
                .bool(key.mayAssertUser), .text(key.destinations.joined(separator: ",")),
                .text(key.models.joined(separator: ",")), .optional(key.requestsPerMinute), .optional(key.tokensPerMinute),
                .optional(key.concurrency), .optional(key.budgetNanousd), .optional(key.budgetWindowMilliseconds),
                .integer(key.createdAt), .optional(key.expiresAt), .optional(key.revokedAt), .optional(key.replaces),
            ])
    }

    /// Writes what can change of a key: when it ends.
    static func updateEnd(_ key: KeyRecord, _ store: any StoreTransaction) throws {
        try store.run(updateEnds, [.optional(key.expiresAt), .optional(key.revokedAt), .text(key.id)])
    }

    private static func record(_ row: SQLRow) throws -> KeyRecord {
        let bytes = row.bytes(1)
        guard let digest = KeyDigest(bytes.readableBytesView) else {
            throw StoreOpenError("the key table holds a digest of \(bytes.readableBytes) bytes instead of 32: restore a backup")
        }
        var key = KeyRecord(
            id: row.text(0), digest: digest, tenant: row.text(2), user: row.optionalText(3), createdAt: row.integer(13))
        key.isAdmin = row.bool(4)
        key.mayAssertUser = row.bool(5)
        key.destinations = list(row.text(6))
        key.models = list(row.text(7))
        key.requestsPerMinute = row.optionalInteger(8).map { Int($0) }
        key.tokensPerMinute = row.optionalInteger(9).map { Int($0) }
        key.concurrency = row.optionalInteger(10).map { Int($0) }
        key.budgetNanousd = row.optionalInteger(11).map { Int($0) }
        key.budgetWindowMilliseconds = row.optionalInteger(12).map { Int($0) }
        key.expiresAt = row.optionalInteger(14)
        key.revokedAt = row.optionalInteger(15)
        key.replaces = row.optionalText(16)
        return key
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}
