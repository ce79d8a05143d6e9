/// Why PostgreSQL did not do what it was asked. Never holds a password or a parameter.
package enum PostgresError: Error, Sendable, Equatable {
    /// The server refused a statement; the connection is good, its transaction is not.
    case refused(PostgresRefusal)
    /// There is no connection any more, or none came about: what libpq says.
    case broken(String)
    /// No answer came by the deadline: whatever comes later belongs to nobody, so the connection is to be dropped.
    case silent
    /// The answer holds what this module does not read: a mistake of the statement.
    case unreadable(String)
}

/// What the server answered instead.
package struct PostgresRefusal: Sendable, Equatable {
    /// Five letters, e.g. `40P01` for a deadlock. Source: PostgreSQL's manual, appendix A.
    package let sqlState: String
    /// The first line of the server's text, in the server's language. Its details, which may quote rows, are left out.
    package let message: String

    /// A refusal of its two parts.
    package init(sqlState: String, message: String) {
        self.sqlState = sqlState
        self.message = message
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let refusal): "\(refusal.message) (\(refusal.sqlState))"
        case .broken(let said): said
        case .silent: "PostgreSQL did not answer in time"
        case .unreadable(let said): said
        }
    }
}
