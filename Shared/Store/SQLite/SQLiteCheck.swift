import GRDB

/// What can be wrong with a file of SQLite. On SQLite's thread.
enum SQLiteCheck {
    /// Bytes of its pages, those still in the log included.
    static func bytes(_ db: Database) throws -> Int {
        (try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0) * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
    }

    /// The first thing wrong; nil when it is sound. Reads the whole file.
    static func whole(_ db: Database) throws -> String? { try complaint(db, "PRAGMA quick_check(1)") }

    /// The same for one table and its indexes.
    static func table(_ name: String, _ db: Database) throws -> String? {
        try complaint(db, "PRAGMA quick_check(\(quoted(name)))")
    }

    /// Reads the header and the list of tables only.
    static func outline(_ db: Database) throws -> String? {
        try tables(db).isEmpty ? "it holds no tables" : nil
    }

    /// Its tables by name.
    static func tables(_ db: Database) throws -> [String] {
        try String.fetchAll(
            db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    }

    /// Rows of a table. Reads the smallest index of it.
    static func rows(_ table: String, _ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM \(quoted(table))") ?? 0
    }

    private static func complaint(_ db: Database, _ sql: String) throws -> String? {
        let said = try String.fetchOne(db, sql: sql)
        return said == "ok" ? nil : said ?? "no answer"
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
