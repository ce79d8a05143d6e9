import NIOCore

/// A parameter of a statement or a column of its answer.
package enum PostgresValue: Sendable, Equatable {
    case null
    /// `bigint` as a parameter; `bigint`, `integer`, `smallint` and `boolean` in an answer.
    case integer(Int64)
    /// `text` as a parameter; `text`, `varchar`, `name` and what is not known to be anything else in an answer.
    case text(String)
    /// `bytea`.
    case bytes(ByteBuffer)
}

/// One statement and its parameters.
package struct PostgresCommand: Sendable {
    /// The text.
    package var sql: String
    /// `$1`, `$2`, …
    package var values: [PostgresValue]
    /// The same text comes again: where no pooler stands between, the server keeps it prepared.
    package var isRepeated: Bool

    /// A statement and its parameters.
    package init(_ sql: String, _ values: [PostgresValue] = [], isRepeated: Bool = false) {
        self.sql = sql
        self.values = values
        self.isRepeated = isRepeated
    }
}

/// Object ids of types. Source: PostgreSQL's `pg_type.dat`; they never change.
enum TypeID {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let unknown: UInt32 = 705
    static let varchar: UInt32 = 1043
    static let void: UInt32 = 2278
}

/// Parameters as libpq takes them, all in binary: a text's length is told, not found by its end.
struct EncodedParameters {
    private(set) var types: [UInt32] = []
    private(set) var lengths: [Int32] = []
    private(set) var formats: [Int32] = []
    var count: Int32 { Int32(clamping: types.count) }
    /// Where each begins in `bytes`; nil: NULL.
    private var places: [Int?] = []
    private var bytes: [UInt8] = []

    init(_ values: [PostgresValue]) {
        for value in values { append(value) }
    }

    private mutating func append(_ value: PostgresValue) {
        let start = bytes.count
        switch value {
        // The type of a NULL follows from its place.
        case .null: types.append(0)
        case .integer(let integer):
            types.append(TypeID.int8)
            withUnsafeBytes(of: integer.bigEndian) { bytes.append(contentsOf: $0) }
        case .text(let text):
            types.append(TypeID.text)
            bytes.append(contentsOf: text.utf8)
        case .bytes(let buffer):
            types.append(TypeID.bytea)
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        places.append(value == .null ? nil : start)
        lengths.append(Int32(clamping: bytes.count - start))
        formats.append(1)
    }

    /// Pointers to each, valid within `body`.
    func withPointers<Value>(_ body: ([UnsafePointer<CChar>?]) -> Value) -> Value {
        // One byte more: an empty value needs a place that is not NULL too.
        (bytes + [0]).withUnsafeBytes { raw in
            let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            return body(places.map { place in place.flatMap { base?.advanced(by: $0) } })
        }
    }
}
