import BulkheadStore

/// The tables of session. Times are milliseconds since 1970, money is billionths of a US dollar. A migration that has been
/// released is never changed.
package enum SessionSchema {
    /// All of them, in order.
    package static let all = StoreSchema(
        name: "session",
        migrations: [
            Migration(
                "1 keys, idempotency, spend", sqlite: KeySchema.firstSQLite + SpendSchema.firstSQLite,
                postgres: KeySchema.firstPostgres + SpendSchema.firstPostgres),
            Migration(
                "2 tenants, claims, streams, budgets",
                sqlite: KeySchema.renameSQLite + KeySchema.tenants + ClaimSchema.sqlite + SpendSchema.budgets,
                postgres: KeySchema.tenants.forPostgres + ClaimSchema.postgres + SpendSchema.budgets.forPostgres),
        ])
}

extension String {
    /// A table of SQLite as PostgreSQL has it: integers of 64 bits, bytes, and no strictness to ask for.
    var forPostgres: String {
        var text = self
        for (name, other) in [(" INTEGER", " BIGINT"), (" BLOB", " BYTEA"), (" STRICT, WITHOUT ROWID", ""), (" STRICT", "")] {
            text = text.split(separator: name, omittingEmptySubsequences: false).joined(separator: other)
        }
        return text
    }
}
