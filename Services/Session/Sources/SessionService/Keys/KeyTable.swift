import BulkheadCore
import BulkheadStore

/// The rows of `api_key`.
enum KeyTable {
    /// Keys session holds at most, revoked ones included: all of them are in memory.
    static let capacity = 1_000_000
    /// Digests looked up by one statement.
    static let lookupWidth = 16

    private static let columns = """
        id, digest, tenant, user_name, is_admin, may_assert_user, destinations, models, rpm, tpm, concurrency, budget_nanousd,
        budget_window_ms, created_at, expires_at, revoked_at, replaces, prefix, scopes, changed_at, account
        """
    private static let byID = Statement("keys.find", "SELECT \(columns) FROM api_key WHERE id = $1")
    private static let byDigest = Statement(
        "keys.lookup",
        """
        SELECT \(columns) FROM api_key WHERE digest IN (\((1 ... lookupWidth).map { "$\($0)" }.joined(separator: ", ")))
        """)
    private static let changedAfter = Statement(
        "keys.changed",
        "SELECT \(columns) FROM api_key WHERE (changed_at, id) > ($1, $2) ORDER BY changed_at, id LIMIT \(ChangePage.size)")
    private static let insertKey = Statement(
        "keys.insert",
        "INSERT INTO api_key (\(columns)) VALUES (\((1 ... 21).map { "$\($0)" }.joined(separator: ", ")))")
    /// Changes nothing: PostgreSQL lets one writer at a time past it.
    private static let lockRow = Statement("keys.lock", "UPDATE api_key SET changed_at = changed_at WHERE id = $1")
    /// An end only ever comes nearer, whoever else writes at the same time.
    private static let nearEnds = Statement(
        "keys.end",
        """
        UPDATE api_key SET
            expires_at = CASE WHEN expires_at <= CAST($1 AS BIGINT) THEN expires_at ELSE coalesce(CAST($1 AS BIGINT), expires_at) END,
            revoked_at = CASE WHEN revoked_at <= CAST($2 AS BIGINT) THEN revoked_at ELSE coalesce(CAST($2 AS BIGINT), revoked_at) END,
            changed_at = CASE WHEN changed_at > CAST($3 AS BIGINT) THEN changed_at ELSE CAST($3 AS BIGINT) END
        WHERE id = $4
        """)

    /// The key of this id.
    static func find(id: String, _ store: any StoreTransaction) throws -> KeyRecord? {
        try store.rows(byID, [.text(id)]).first.map(record)
    }

    /// The keys of these digests, those there are.
    static func find(_ digests: [KeyDigest], _ store: any StoreTransaction) throws -> [KeyRecord] {
        try stride(from: 0, to: digests.count, by: lookupWidth).flatMap { start in
            var values = digests[start ..< min(start + lookupWidth, digests.count)].map { SQLValue.bytes($0.bytes) }
            values += Array(repeating: .null, count: lookupWidth - values.count)
            return try store.rows(byDigest, values).map(record)
        }
    }

    /// The next rows after a place, in the order in which they were changed.
    static func changed(after place: ChangePage.Place, _ store: any StoreTransaction) throws -> [KeyRecord] {
        try store.rows(changedAfter, [.integer(place.changedAt), .text(place.name)]).map(record)
    }

    /// Writes a key, and gives it as it stands there.
    static func insert(_ key: KeyRecord, _ store: any StoreTransaction) throws -> KeyRecord {
        var key = key
        key.changedAt = store.now
        try store.run(insertKey, values(of: key))
        return key
    }

    /// The key of this id, which nobody else changes until the transaction ends.
    static func lock(id: String, _ store: any StoreTransaction) throws -> KeyRecord? {
        try store.run(lockRow, [.text(id)])
        return try find(id: id, store)
    }

    /// Writes what can change of a key, when it ends, and gives the key as it stands then; nil: it is not there any more.
    static func end(
        _ id: String, expiresAt: Int64? = nil, revokedAt: Int64? = nil, _ store: any StoreTransaction
    ) throws -> KeyRecord? {
        try store.run(nearEnds, [.optional(expiresAt), .optional(revokedAt), .integer(store.now), .text(id)])
        return try find(id: id, store)
    }

    private static func values(of key: KeyRecord) -> [SQLValue] {
        [
            .text(key.id), .bytes(key.digest.bytes), .text(key.tenant), .optional(key.user), .bool(key.isAdmin),
            .bool(key.mayAssertUser), .text(key.destinations.joined(separator: ",")),
            .text(key.models.joined(separator: ",")), .optional(key.requestsPerMinute), .optional(key.tokensPerMinute),
            .optional(key.concurrency), .optional(key.budgetNanousd), .optional(key.budgetWindowMilliseconds),
            .integer(key.createdAt), .optional(key.expiresAt), .optional(key.revokedAt), .optional(key.replaces),
            .text(key.prefix), .text(key.scopes.joined(separator: ",")), .integer(key.changedAt), .text(key.account),
        ]
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
        key.prefix = row.text(17)
        key.scopes = list(row.text(18))
        key.changedAt = row.integer(19)
        if !row.text(20).isEmpty { key.account = row.text(20) }
        return key
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}
