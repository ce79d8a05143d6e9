import BulkheadCore
import GRDB
import GRDBSQLite

/// A body's view of the connection, within a transaction of `GroupCommit`. Used on SQLite's thread only.
final class SQLiteTransaction: StoreTransaction {
    let now: Int64
    private let connection: OpaquePointer
    private let statements: PreparedStatements
    private let observer: StoreObserver

    private static let savepoint = Statement("sqlite.savepoint", "SAVEPOINT operation")
    private static let release = Statement("sqlite.release", "RELEASE operation")
    private static let undo = Statement("sqlite.undo", "ROLLBACK TO operation")

    init(_ connection: OpaquePointer, _ statements: PreparedStatements, now: Int64, observer: StoreObserver) {
        self.connection = connection
        self.statements = statements
        self.now = now
        self.observer = observer
    }

    func rows(_ statement: Statement, _ values: [SQLValue]) throws -> [SQLRow] {
        var rows: [SQLRow] = []
        let began = MonotonicTime.now()
        defer { observer.statement(statement, .now() - began, rows: rows.count) }
        try execute(statement, values) { rows.append($0) }
        return rows
    }

    func run(_ statement: Statement, _ values: [SQLValue]) throws -> Int {
        var changed = 0
        let began = MonotonicTime.now()
        defer { observer.statement(statement, .now() - began, rows: changed) }
        try execute(statement, values) { _ in }
        changed = Int(sqlite3_changes(connection))
        return changed
    }

    /// Runs an operation that shares the transaction with others: when it throws, what it did is undone, and nothing else.
    /// - Throws: when the whole transaction is lost.
    func apart<Value>(_ operation: (SQLiteTransaction) throws -> Value) throws -> Result<Value, any Error> {
        try execute(Self.savepoint, [])
        do {
            let value = try operation(self)
            try execute(Self.release, [])
            return .success(value)
        } catch {
            // A full disk, for one, makes SQLite undo the whole transaction at once.
            guard isOpen else { throw error }
            try execute(Self.undo, [])
            try execute(Self.release, [])
            return .failure(error)
        }
    }

    private var isOpen: Bool { sqlite3_get_autocommit(connection) == 0 }

    private func execute(_ statement: Statement, _ values: [SQLValue], _ take: (SQLRow) -> Void = { _ in }) throws {
        guard isOpen else { throw DatabaseError(resultCode: .SQLITE_ABORT, message: "the transaction was undone") }
        try statements.prepared(statement, connection).run(values, take)
    }
}
