/// One step from a layout of the tables to the next. Released ones are never changed.
package struct Migration: Sendable {
    /// Its number and what it brings, e.g. `2 streams`.
    package let name: String
    /// Statements for SQLite, each ended by a semicolon.
    package let sqlite: String
    /// Statements for PostgreSQL, each ended by a semicolon.
    package let postgres: String

    /// A migration; both stores come to tables of the same names and columns.
    package init(_ name: String, sqlite: String, postgres: String) {
        self.name = name
        self.sqlite = sqlite
        self.postgres = postgres
    }
}

/// The tables of one service.
package struct StoreSchema: Sendable {
    /// The service's name: its file is called so, and its schema on PostgreSQL.
    package let name: String
    /// In the order in which they are applied.
    package let migrations: [Migration]

    /// The layout of `name` as the sum of its migrations.
    package init(name: String, migrations: [Migration]) {
        self.name = name
        self.migrations = migrations
    }
}
