import CLibpq
import NIOCore

/// The answer to one statement; freed with its last use.
package struct PostgresResult: ~Copyable {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { PQclear(handle) }

    /// Rows given.
    package var rowCount: Int { Int(PQntuples(handle)) }
    /// Columns of each.
    package var columnCount: Int { Int(PQnfields(handle)) }
    /// Rows changed or given.
    package var changed: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }
    /// What was done, e.g. `COMMIT`; `ROLLBACK` is the answer to the commit of a transaction that had failed.
    package var tag: String { String(cString: PQcmdStatus(handle)) }

    /// A row's values.
    /// - Throws: `.unreadable` for a column of a type that is not one of `PostgresValue`.
    package func row(_ row: Int) throws(PostgresError) -> [PostgresValue] {
        var values: [PostgresValue] = []
        values.reserveCapacity(columnCount)
        for column in 0 ..< Int32(clamping: columnCount) { values.append(try value(Int32(clamping: row), column)) }
        return values
    }

    private func value(_ row: Int32, _ column: Int32) throws(PostgresError) -> PostgresValue {
        guard PQgetisnull(handle, row, column) == 0, let start = PQgetvalue(handle, row, column) else { return .null }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(handle, row, column)))
        let type = PQftype(handle, column)
        switch type {
        case TypeID.int8, TypeID.int4, TypeID.int2, TypeID.bool: return .integer(Self.integer(bytes))
        case TypeID.text, TypeID.varchar, TypeID.name, TypeID.unknown: return .text(String(decoding: bytes, as: UTF8.self))
        case TypeID.bytea: return .bytes(ByteBuffer(bytes: bytes))
        case TypeID.void: return .null
        default:
            let name = PQfname(handle, column).map { String(cString: $0) } ?? "\(column)"
            throw .unreadable("the column \(name) has the type \(type), which is not read: cast it to bigint, text or bytea")
        }
    }

    /// Big endian with a sign, of 1 to 8 bytes; a boolean is one byte of 0 or 1.
    private static func integer(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        let start: Int64 = bytes.first.map { $0 >= 0x80 } ?? false ? -1 : 0
        return bytes.reduce(start) { $0 << 8 | Int64($1) }
    }

    /// Why the server refused; nil when it did not.
    var refusal: Refusal? {
        switch PQresultStatus(handle) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: nil
        case PGRES_PIPELINE_ABORTED: .skipped
        default: .refused(field(sqlStateField), field(messageField), isFatal: isFatal)
        }
    }

    var isSync: Bool { PQresultStatus(handle) == PGRES_PIPELINE_SYNC }

    /// What stands in place of an answer.
    enum Refusal {
        /// An earlier statement of the same write was refused.
        case skipped
        case refused(_ sqlState: String, _ message: String, isFatal: Bool)
    }

    /// The server ends the connection after this one.
    private var isFatal: Bool { ["FATAL", "PANIC"].contains(field(severityField)) }

    private func field(_ code: Character) -> String {
        PQresultErrorField(handle, Int32(code.asciiValue ?? 0)).map { String(cString: $0) } ?? ""
    }

    // libpq names these by macros of characters, which are not imported.
    private var sqlStateField: Character { "C" }
    private var messageField: Character { "M" }
    private var severityField: Character { "V" }
}
