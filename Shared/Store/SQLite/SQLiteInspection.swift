import GRDB

extension SQLiteStore: StoreInspection {
    /// A file up to `wholeCheckBytes` is checked in one go, a larger one table by table.
    package func check() async throws -> StoreCondition {
        try await explained {
            let schema = schema
            let outline = try await queue.read { db in
                let bytes = try SQLiteCheck.bytes(db)
                return (
                    bytes: bytes, tables: try SQLiteCheck.tables(db), applied: try Self.applied(schema, db),
                    version: try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? "",
                    problem: bytes <= Self.wholeCheckBytes ? try SQLiteCheck.whole(db) : nil
                )
            }
            var problem = outline.problem
            var tables: [StoreTable] = []
            for name in outline.tables where problem == nil {
                let isLarge = outline.bytes > Self.wholeCheckBytes
                let (found, rows) = try await queue.read { db in
                    let problem = isLarge ? try SQLiteCheck.table(name, db) : nil
                    return (problem, problem == nil ? try SQLiteCheck.rows(name, db) : 0)
                }
                problem = found
                tables.append(StoreTable(name: name, rows: rows))
            }
            return StoreCondition(
                store: kind, version: outline.version, problem: problem, bytes: outline.bytes, migrations: outline.applied,
                missing: Self.missing(schema, outline.applied), tables: tables)
        }
    }

    /// Nothing is missing in a service that runs: its start applied it.
    package func migrate(dryRun: Bool) async throws -> MigrationReport {
        try await explained {
            let schema = schema
            let present = try await queue.read { try Self.applied(schema, $0) }
            let missing = Self.missing(schema, present)
            if !dryRun, !missing.isEmpty { try await apply() }
            return MigrationReport(store: kind, present: present, applied: missing, dryRun: dryRun)
        }
    }

    private func apply() async throws {
        try await withCheckedThrowingContinuation { continuation in
            Self.migrator(schema).asyncMigrate(queue) { continuation.resume(with: $0.map { _ in }) }
        }
    }

    /// Copies `OnlineBackup.step` pages at a time; commits go on between them and are in the copy.
    package func backUp(to destination: String) async throws {
        let backup = try OnlineBackup(destination)
        do {
            while try await queue.writeWithoutTransaction({ try backup.copyMore(from: $0) }) {}
        } catch {
            backup.abandon()
            throw (error as? DatabaseError).map { OnlineBackup.failure(destination, $0.message ?? "\($0.resultCode)") } ?? error
        }
    }

    private static func applied(_ schema: StoreSchema, _ db: Database) throws -> [String] {
        try migrator(schema).appliedMigrations(db)
    }

    private static func missing(_ schema: StoreSchema, _ applied: [String]) -> [String] {
        schema.migrations.map(\.name).filter { !applied.contains($0) }
    }

    private func explained<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let error as DatabaseError {
            throw StoreOpenError(error, path: file.path)
        }
    }
}
