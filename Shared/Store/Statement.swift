/// One statement of SQL, as both stores understand it. Made once, as a static value: stores prepare it once and keep times by
/// its name.
///
/// The dialect is what SQLite 3.40 and PostgreSQL 15 share: parameters are `$1`, `$2`, …, each cast where its type does not
/// follow from its place (`CAST($1 AS TEXT)`); in `ON CONFLICT DO UPDATE` columns of the row that is there carry the table's name;
/// sums are cast to BIGINT. Tables stand without a schema in front: PostgreSQL looks in that of the service.
package struct Statement: Sendable, Hashable {
    /// For metrics and the log of slow statements, e.g. `keys.insert`.
    package let name: String
    /// The text.
    package let sql: String
    /// The text for SQLite, to which `$1` is a name and `?1` a number.
    let numbered: String

    /// A statement and its name.
    package init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
        numbered = String(sql.map { $0 == "$" ? "?" : $0 })
    }

    package static func == (left: Self, right: Self) -> Bool { left.name == right.name }

    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
