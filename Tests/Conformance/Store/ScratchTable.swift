import BulkheadCore
import BulkheadStore
import NIOCore

/// A table of the tests' own.
enum Scratch {
    static let schema = StoreSchema(
        name: "session",
        migrations: [
            Migration(
                "1 scratch",
                sqlite: "CREATE TABLE scratch (name TEXT PRIMARY KEY, number INTEGER, words TEXT, bytes BLOB) STRICT;",
                postgres: "CREATE TABLE scratch (name TEXT PRIMARY KEY, number BIGINT, words TEXT, bytes BYTEA);")
        ])

    static let insert = Statement(
        "scratch.insert", "INSERT INTO scratch (name, number, words, bytes) VALUES ($1, $2, $3, $4)")
    static let add = Statement(
        "scratch.add",
        """
        INSERT INTO scratch (name, number) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET number = scratch.number + excluded.number
        """)
    static let update = Statement("scratch.update", "UPDATE scratch SET number = $2 WHERE name = $1")
    static let names = Statement("scratch.names", "SELECT name FROM scratch ORDER BY name")
    static let find = Statement("scratch.find", "SELECT number, words, bytes FROM scratch WHERE name = $1")
    /// There is no such table.
    static let broken = Statement("scratch.broken", "INSERT INTO scratch_absent (name) VALUES ($1)")

    static func put(_ name: String, _ store: any StoreTransaction) throws {
        try store.run(insert, [.text(name), .integer(1), .null, .null])
    }

    static func names(_ store: any DurableStore) async throws -> [String] {
        try await store.transact { try $0.rows(names, []).map { $0.text(0) } }
    }
}
