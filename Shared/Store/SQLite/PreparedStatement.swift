import GRDB
import GRDBSQLite
import NIOCore

/// A statement that SQLite has compiled. Used on SQLite's thread only, and between uses it holds neither values nor locks.
final class PreparedStatement {
    /// Blobs up to this many bytes are copied into the statement; larger ones are lent to it while it runs.
    private static let copiedBytes = 4096

    /// What it was made of.
    let sql: String
    private let connection: OpaquePointer
    private let handle: OpaquePointer
    private let parameters: Int
    private let columns: Int32

    /// - Throws: `DatabaseError`.
    init(_ sql: String, _ connection: OpaquePointer) throws {
        var handle: OpaquePointer?
        let result = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard result == SQLITE_OK, let handle else { throw Self.failure(result, connection) }
        self.sql = sql
        self.connection = connection
        self.handle = handle
        parameters = Int(sqlite3_bind_parameter_count(handle))
        columns = sqlite3_column_count(handle)
    }

    deinit { sqlite3_finalize(handle) }

    /// Runs it without values, for its effect.
    func run() throws { try run([]) { _ in } }

    /// Runs it to its end, and gives each row to `take`.
    func run(_ values: [SQLValue], _ take: (SQLRow) -> Void) throws {
        guard values.count == parameters else {
            throw DatabaseError(resultCode: .SQLITE_RANGE, message: "\(values.count) values for \(parameters) parameters")
        }
        defer {
            // Says again what the last step said.
            sqlite3_reset(handle)
            if !values.isEmpty { sqlite3_clear_bindings(handle) }
        }
        try bind(values, from: 0) { try step(take) }
    }

    private func step(_ take: (SQLRow) -> Void) throws {
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: take(row())
            case SQLITE_DONE: return
            case let result: throw Self.failure(result, connection)
            }
        }
    }

    /// Binds the values from a place on, then runs `body`: what is lent lives until it returns.
    private func bind(_ values: [SQLValue], from first: Int, _ body: () throws -> Void) throws {
        for place in first ..< values.count {
            let number = Int32(place + 1)
            var result = SQLITE_OK
            switch values[place] {
            case .null: result = sqlite3_bind_null(handle, number)
            case .integer(let value): result = sqlite3_bind_int64(handle, number, value)
            case .text(var text):
                result = text.withUTF8 { bytes in
                    bytes.withMemoryRebound(to: CChar.self) {
                        // A null pointer would be NULL.
                        sqlite3_bind_text64(
                            handle, number, $0.baseAddress ?? Self.nothing, UInt64($0.count), Self.copied, UInt8(SQLITE_UTF8))
                    }
                }
            case .bytes(let buffer) where buffer.readableBytes > Self.copiedBytes:
                return try buffer.withUnsafeReadableBytes { bytes in
                    let result = sqlite3_bind_blob64(handle, number, bytes.baseAddress, UInt64(bytes.count), nil)
                    guard result == SQLITE_OK else { throw Self.failure(result, connection) }
                    try bind(values, from: place + 1, body)
                }
            case .bytes(let buffer):
                result = buffer.withUnsafeReadableBytes {
                    sqlite3_bind_blob64(handle, number, $0.baseAddress ?? .init(Self.nothing), UInt64($0.count), Self.copied)
                }
            }
            guard result == SQLITE_OK else { throw Self.failure(result, connection) }
        }
        try body()
    }

    private func row() -> SQLRow {
        SQLRow((0 ..< columns).map { value($0) })
    }

    private func value(_ column: Int32) -> SQLValue {
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, column))
        case SQLITE_TEXT:
            // The text first: it is what the length is asked of.
            let start = sqlite3_column_text(handle, column)
            let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
            return .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            let start = sqlite3_column_blob(handle, column)
            return .bytes(
                ByteBuffer(bytes: UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))))
        // NULL; a number with a fraction, which no table has.
        default: return .null
        }
    }

    private static func failure(_ result: Int32, _ connection: OpaquePointer) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: result), message: String(cString: sqlite3_errmsg(connection)))
    }

    /// SQLITE_TRANSIENT: SQLite takes a copy.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
    /// The address of no bytes.
    private static var nothing: UnsafePointer<CChar> { UnsafePointer(bitPattern: 1).unsafelyUnwrapped }
}

/// The statements that were compiled on a connection, by name. At most `capacity`: names are written in the program.
///
/// `@unchecked Sendable`: touched on SQLite's thread only.
final class PreparedStatements: @unchecked Sendable {
    /// Statements kept; one more is compiled for each use.
    static let capacity = 512

    private var known: [String: PreparedStatement] = [:]

    /// The statement of that name, compiled at its first use.
    func prepared(_ statement: Statement, _ connection: OpaquePointer) throws -> PreparedStatement {
        if let found = known[statement.name], found.sql == statement.numbered { return found }
        let made = try PreparedStatement(statement.numbered, connection)
        if known.count < Self.capacity || known[statement.name] != nil { known[statement.name] = made }
        return made
    }

    /// Forgets all of them, so that the connection can be closed.
    func clear() { known = [:] }
}
