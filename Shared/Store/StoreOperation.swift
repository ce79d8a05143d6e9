/// What a store does that begins with a statement known beforehand, whatever the store holds. PostgreSQL sends the first
/// statements of several operations that wait in one write and commits them together, which costs it a fraction.
///
/// In such a company an operation may meet what others of it did, and all first statements are run before any `then`: as with
/// transactions of their own that take turns at every statement. One that fails is undone alone.
package struct StoreOperation<Value: Sendable>: Sendable {
    /// What it begins with.
    package let first: FirstStatement
    /// Given the rows of `first`. May run again, as any body.
    package let then: @Sendable ([SQLRow], any StoreTransaction) throws -> Value

    /// An operation of its two parts.
    package init(_ first: FirstStatement, then: @escaping @Sendable ([SQLRow], any StoreTransaction) throws -> Value) {
        self.first = first
        self.then = then
    }

    /// Does it within a transaction.
    package func run(_ transaction: any StoreTransaction) throws -> Value {
        try then(try transaction.rows(first.statement, first.values(transaction.now)), transaction)
    }

    /// The same with something done after it, in the transaction.
    package func map<Other: Sendable>(_ change: @escaping @Sendable (Value) throws -> Other) -> StoreOperation<Other> {
        StoreOperation<Other>(first) { [then] rows, transaction in try change(try then(rows, transaction)) }
    }
}

/// The statement an operation begins with.
package struct FirstStatement: Sendable {
    let statement: Statement
    /// Names the row it locks: those who share a transaction take theirs in this order, so that no two wait for each other.
    let row: [UInt8]
    /// Of its values together, about; what is large shares no write.
    let bytes: Int
    /// Given the store's clock, in milliseconds since 1970.
    let values: @Sendable (Int64) -> [SQLValue]

    /// A statement, and how its values are made.
    package init(
        _ statement: Statement, row: some Sequence<UInt8>, bytes: Int = 0,
        values: @escaping @Sendable (_ now: Int64) -> [SQLValue]
    ) {
        self.statement = statement
        self.row = Array(row)
        self.bytes = bytes
        self.values = values
    }

    /// In one order for all who share a store.
    static func precedes(_ one: Self, _ other: Self) -> Bool {
        guard one.statement == other.statement else { return one.statement.name < other.statement.name }
        return one.row.lexicographicallyPrecedes(other.row)
    }
}
