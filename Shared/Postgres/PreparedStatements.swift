/// The statements a connection has prepared, by their text and the types of their parameters. One thread's.
final class PreparedStatements {
    struct Key: Hashable {
        let sql: String
        let types: [UInt32]
    }

    /// Beyond these a statement is sent whole each time.
    private static let most = 256

    /// Whether the server stays the same from one transaction to the next.
    var isAllowed = false
    private var names: [Key: String] = [:]
    private var made = 0

    /// The name of a statement, and whether it must be prepared under it first; nil: it has none.
    func name(_ key: Key) -> (name: String, isNew: Bool)? {
        guard isAllowed else { return nil }
        if let name = names[key] { return (name, false) }
        guard names.count < Self.most else { return nil }
        made += 1
        let name = "b\(made)"
        names[key] = name
        return (name, true)
    }

    /// It could not be prepared.
    func forget(_ key: Key) { names[key] = nil }
}
