/// What an operator may ask of a store while the service runs. Both kinds answer.
package protocol StoreInspection: Sendable {
    /// Looks it over: what can be reached, what is damaged, how large it is. SQLite reads its file table by table; admissions
    /// with an Idempotency-Key go on between tables.
    func check() async throws -> StoreCondition

    /// Brings the tables up to date.
    /// - Parameter dryRun: only says what is missing.
    func migrate(dryRun: Bool) async throws -> MigrationReport

    /// Writes a consistent copy to `destination`, an absolute path where nothing is.
    /// - Throws: `StoreOpenError` with what to do; PostgreSQL always does.
    func backUp(to destination: String) async throws
}

/// What `store check` found.
package struct StoreCondition: Codable, Sendable, Equatable {
    /// `sqlite` or `postgres`.
    package var store: StoreKind
    /// The version of SQLite or of the server.
    package var version: String
    /// Nothing is wrong.
    package var sound: Bool
    /// The first thing wrong; nil when it is sound.
    package var problem: String?
    /// Bytes of all tables and indexes, what is still in SQLite's log included.
    package var bytes: Int
    /// Migrations that are applied, in order.
    package var migrations: [String]
    /// Migrations this program has and the store has not.
    package var missing: [String]
    /// The tables by name.
    package var tables: [StoreTable]

    /// A condition of its parts; sound when there is no problem and nothing is missing.
    package init(
        store: StoreKind, version: String, problem: String?, bytes: Int, migrations: [String], missing: [String],
        tables: [StoreTable]
    ) {
        self.store = store
        self.version = version
        self.problem = problem ?? missing.first.map { "migration \($0) is missing: run `store migrate`" }
        sound = self.problem == nil
        self.bytes = bytes
        self.migrations = migrations
        self.missing = missing
        self.tables = tables
    }
}

/// A table as `store check` shows it.
package struct StoreTable: Codable, Sendable, Equatable {
    package var name: String
    /// Counted; above 100 000 PostgreSQL's estimate.
    package var rows: Int
    /// With its indexes; nil where the store does not say (SQLite).
    package var bytes: Int?

    /// A table of its parts.
    package init(name: String, rows: Int, bytes: Int? = nil) {
        self.name = name
        self.rows = rows
        self.bytes = bytes
    }
}

/// What `store migrate` did, or would do.
package struct MigrationReport: Codable, Sendable, Equatable {
    package var store: StoreKind
    /// There before, in order.
    package var present: [String]
    /// Applied by this call, or, with `--dry-run`, missing.
    package var applied: [String]
    /// Nothing was changed.
    package var dryRun: Bool

    /// A report of its parts.
    package init(store: StoreKind, present: [String], applied: [String], dryRun: Bool) {
        self.store = store
        self.present = present
        self.applied = applied
        self.dryRun = dryRun
    }
}
