import BulkheadCore
import Foundation
import GRDB
import NIOCore

/// A body's view of the connection.
struct SQLiteTransaction: StoreTransaction {
    let db: Database
    let now: Int64
    let observer: StoreObserver

    func rows(_ statement: Statement, _ values: [SQLValue]) throws -> [SQLRow] {
        try timed(statement) {
            let prepared = try db.cachedStatement(sql: statement.numbered)
            let cursor = try Row.fetchCursor(prepared, arguments: Self.arguments(values))
            var rows: [SQLRow] = []
            while let row = try cursor.next() { rows.append(Self.row(row)) }
            return rows
        }
    }

    func run(_ statement: Statement, _ values: [SQLValue]) throws -> Int {
        try timed(statement) {
            try db.cachedStatement(sql: statement.numbered).execute(arguments: Self.arguments(values))
            return db.changesCount
        }
    }

    private func timed<Value>(_ statement: Statement, _ body: () throws -> Value) rethrows -> Value {
        let began = MonotonicTime.now()
        defer { observer.statement(statement, .now() - began) }
        return try body()
    }

    private static func arguments(_ values: [SQLValue]) -> StatementArguments {
        StatementArguments(
            values.map { value -> DatabaseValue in
                switch value {
                case .null: .null
                case .integer(let integer): integer.databaseValue
                case .text(let text): text.databaseValue
                case .bytes(let bytes): Data(bytes.readableBytesView).databaseValue
                }
            })
    }

    private static func row(_ row: Row) -> SQLRow {
        SQLRow(
            row.databaseValues.map { value -> SQLValue in
                switch value.storage {
                case .null, .double: .null
                case .int64(let integer): .integer(integer)
                case .string(let text): .text(text)
                case .blob(let data): .bytes(ByteBuffer(bytes: data))
                }
            })
    }
}
