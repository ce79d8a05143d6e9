import BulkheadCore

/// What can be asked of PostgreSQL with statements alone. Tables are those of the schema in front in the search path.
package struct PostgresInspection: StoreInspection {
    private let store: any DurableStore
    private let schema: StoreSchema
    private let apply: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - store: on PostgreSQL.
    ///   - schema: what this program knows.
    ///   - apply: brings the tables up to date.
    package init(store: any DurableStore, schema: StoreSchema, apply: @escaping @Sendable () async throws -> Void) {
        self.store = store
        self.schema = schema
        self.apply = apply
    }

    private static let version = Statement("store.version", "SELECT current_setting('server_version')")
    private static let tables = Statement(
        "store.tables",
        """
        SELECT c.relname::TEXT, greatest(c.reltuples, 0)::BIGINT, pg_total_relation_size(c.oid)
        FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(current_schema()::TEXT) ORDER BY c.relname
        """)
    private static let applied = Statement("store.migrations", "SELECT name FROM bulkhead_migration ORDER BY applied_at, name")

    /// Rows that are counted, of a table; of more the server's estimate is told.
    private static let counted = 100_000

    /// How many rows a table has, up to one more than are counted.
    private static func count(_ table: String) -> Statement {
        let name = table.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        return Statement(
            "store.rows.\(table)", "SELECT count(*) FROM (SELECT 1 FROM \"\(name)\" LIMIT \(counted + 1)) AS counted")
    }

    /// Reachable, its version, its tables; large ones by estimate. Damage of a server's files is the server's to find (`pg_amcheck`).
    package func check() async throws -> StoreCondition {
        let (version, rows, applied) = try await store.transact { transaction in
            (
                try transaction.rows(Self.version, []).first?.text(0) ?? "", try transaction.rows(Self.tables, []),
                try transaction.rows(Self.applied, []).map { $0.text(0) }
            )
        }
        let counts = try await store.transact { transaction in
            try rows.map { Int(try transaction.rows(Self.count($0.text(0)), []).first?.integer(0) ?? 0) }
        }
        let tables = zip(rows, counts).map { row, count in
            StoreTable(
                name: row.text(0), rows: count > Self.counted ? max(count, Int(row.integer(1))) : count,
                bytes: Int(row.integer(2)))
        }
        return StoreCondition(
            store: .postgres, version: version, problem: nil, bytes: tables.reduce(0) { $0 + ($1.bytes ?? 0) },
            migrations: applied, missing: schema.migrations.map(\.name).filter { !applied.contains($0) }, tables: tables)
    }

    /// Nothing is missing in a service that runs, unless somebody restored an earlier copy under it: its start applied it.
    package func migrate(dryRun: Bool) async throws -> MigrationReport {
        let found = try await check()
        if !dryRun, !found.missing.isEmpty { try await apply() }
        return MigrationReport(store: .postgres, present: found.migrations, applied: found.missing, dryRun: dryRun)
    }

    /// Never: the server's own program does it.
    package func backUp(to destination: String) async throws {
        throw StoreOpenError(
            "PostgreSQL is copied by its own program, which sees one moment while others write: "
                + "pg_dump --format=custom --file=\(destination) \"$DATABASE_URL\"; `pg_restore` reads it back")
    }
}
