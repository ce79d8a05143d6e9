import BulkheadCore
import BulkheadPostgres

/// Brings the tables of a service up to date, one process at a time: an advisory lock of the transaction keeps others waiting.
struct PostgresMigration {
    let schema: StoreSchema
    /// Building an index over what is there takes its time.
    static let limit = Duration.seconds(120)

    private static let lock = "SELECT pg_advisory_xact_lock(hashtextextended('bulkhead schema ' || $1, 0))"
    private static let exists = "SELECT 1 FROM pg_namespace WHERE nspname = $1"
    private static let table = """
        CREATE TABLE IF NOT EXISTS bulkhead_migration (name TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())
        """
    private static let record = "INSERT INTO bulkhead_migration (name) VALUES ($1)"

    /// - Throws: `StoreOpenError` when a later version has changed the tables; `PostgresError` when the server fails.
    func apply(_ connection: borrowing PostgresConnection) throws {
        let deadline = MonotonicTime.now() + Self.limit
        _ = try connection.exchange(PostgresTransaction.opening(schema.name, deadline), deadline: deadline)
        do {
            try applyOpen(connection, deadline)
        } catch {
            // What is thrown says what went wrong; without the rollback's answer the server undoes it when the connection ends.
            _ = try? connection.exchange([PostgresCommand("ROLLBACK")], deadline: .now() + .seconds(1))
            throw error
        }
        _ = try connection.exchange([PostgresCommand("COMMIT")], deadline: deadline)
    }

    private func applyOpen(_ connection: borrowing PostgresConnection, _ deadline: MonotonicTime) throws {
        let known = try connection.exchange(
            [PostgresCommand(Self.lock, [.text(schema.name)]), PostgresCommand(Self.exists, [.text(schema.name)])],
            deadline: deadline)
        // Where an administrator made it, the right to make one is not needed.
        if known.rowCount == 0 {
            _ = try connection.exchange(
                [PostgresCommand("CREATE SCHEMA \(PostgresTransaction.quoted(schema.name))")], deadline: deadline)
        }
        _ = try connection.exchange([PostgresCommand(Self.table)], deadline: deadline)
        let applied = try names(connection, deadline)
        let ours = Set(schema.migrations.map(\.name))
        if let later = applied.subtracting(ours).min() {
            throw StoreOpenError(
                "the schema \(schema.name) on PostgreSQL was written by a later version (it has the migration \(later)): "
                    + "start that version, or restore a backup made by this one")
        }
        for migration in schema.migrations where !applied.contains(migration.name) {
            try connection.script(migration.postgres, deadline: deadline)
            _ = try connection.exchange([PostgresCommand(Self.record, [.text(migration.name)])], deadline: deadline)
        }
    }

    private func names(_ connection: borrowing PostgresConnection, _ deadline: MonotonicTime) throws -> Set<String> {
        let answer = try connection.exchange([PostgresCommand("SELECT name FROM bulkhead_migration")], deadline: deadline)
        var names: Set<String> = []
        for row in 0 ..< answer.rowCount {
            if case .text(let name)? = try answer.row(row).first { names.insert(name) }
        }
        return names
    }
}
