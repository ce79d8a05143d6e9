import BulkheadCore
import Foundation
import GRDB

/// The rows of `api_key`.
package enum KeyTable {
    /// Keys session holds at most, revoked ones included: all of them are in memory.
    static let capacity = 1_000_000

    /// Every key, revoked and expired ones included.
    package static func all(_ db: Database) throws -> [KeyRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM api_key").map(record)
    }

    static func insert(_ key: KeyRecord, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO api_key (id, digest, tenant, user, is_admin, may_assert_user, destinations, models, rpm, tpm,
                    concurrency, budget_nanousd, budget_window_ms, created_at, expires_at, revoked_at, replaces)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                key.id, Data(key.digest.bytes), key.tenant, key.user, key.isAdmin, key.mayAssertUser,
                key.destinations.joined(separator: ","), key.models.joined(separator: ","), key.requestsPerMinute,
                key.tokensPerMinute, key.concurrency, key.budgetNanousd, key.budgetWindowMilliseconds, key.createdAt,
                key.expiresAt, key.revokedAt, key.replaces,
            ])
    }

    /// Writes what can change of a key: when it ends.
    static func updateEnd(_ key: KeyRecord, _ db: Database) throws {
        try db.execute(
            sql: "UPDATE api_key SET expires_at = ?, revoked_at = ? WHERE id = ?",
            arguments: [key.expiresAt, key.revokedAt, key.id])
    }

    private static func record(_ row: Row) throws -> KeyRecord {
        let bytes: Data = row["digest"]
        guard let digest = KeyDigest(bytes) else {
            throw SessionStoreError("the key table holds a digest of \(bytes.count) bytes instead of 32: restore a backup")
        }
        var key = KeyRecord(id: row["id"], digest: digest, tenant: row["tenant"], user: row["user"], createdAt: row["created_at"])
        key.isAdmin = row["is_admin"]
        key.mayAssertUser = row["may_assert_user"]
        key.destinations = list(row["destinations"])
        key.models = list(row["models"])
        key.requestsPerMinute = row["rpm"]
        key.tokensPerMinute = row["tpm"]
        key.concurrency = row["concurrency"]
        key.budgetNanousd = row["budget_nanousd"]
        key.budgetWindowMilliseconds = row["budget_window_ms"]
        key.expiresAt = row["expires_at"]
        key.revokedAt = row["revoked_at"]
        key.replaces = row["replaces"]
        return key
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}
