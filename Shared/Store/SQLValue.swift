import NIOCore

/// A value that goes into a statement or comes out of one. Truth is an integer, as SQLite has nothing else.
package enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case text(String)
    case bytes(ByteBuffer)

    /// An integer of Swift's own width.
    package static func integer(_ value: Int) -> SQLValue { .integer(Int64(value)) }
    /// 1 or 0.
    package static func bool(_ value: Bool) -> SQLValue { .integer(value ? Int64(1) : 0) }
    /// Bytes of any sequence.
    package static func bytes(_ value: some Sequence<UInt8>) -> SQLValue { .bytes(ByteBuffer(bytes: value)) }
    /// NULL for nil.
    package static func optional(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    /// NULL for nil.
    package static func optional(_ value: Int?) -> SQLValue { value.map { .integer(Int64($0)) } ?? .null }
    /// NULL for nil.
    package static func optional(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
    /// NULL for nil.
    package static func optional(_ value: ByteBuffer?) -> SQLValue { value.map { .bytes($0) } ?? .null }
}

/// A row of an answer. Columns are known by their place in the statement. A column of another type than asked for, which no row
/// of ours has, reads as nothing.
package struct SQLRow: Sendable, Equatable {
    /// As the statement has them.
    package var values: [SQLValue]

    /// A row of its values.
    package init(_ values: [SQLValue]) { self.values = values }

    /// nil for NULL.
    package func optionalInteger(_ column: Int) -> Int64? { if case .integer(let value) = values[column] { value } else { nil } }
    /// nil for NULL.
    package func optionalText(_ column: Int) -> String? { if case .text(let value) = values[column] { value } else { nil } }
    /// nil for NULL.
    package func optionalBytes(_ column: Int) -> ByteBuffer? { if case .bytes(let value) = values[column] { value } else { nil } }

    /// 0 for NULL.
    package func integer(_ column: Int) -> Int64 { optionalInteger(column) ?? 0 }
    /// Empty for NULL.
    package func text(_ column: Int) -> String { optionalText(column) ?? "" }
    /// Empty for NULL.
    package func bytes(_ column: Int) -> ByteBuffer { optionalBytes(column) ?? ByteBuffer() }
    /// False for NULL.
    package func bool(_ column: Int) -> Bool { integer(column) != 0 }
}
