import BulkheadCore
import BulkheadPostgres

/// What a failure of PostgreSQL means for the work it met.
enum PostgresVerdict {
    /// The body may run again on the same connection: somebody else's transaction was in the way.
    case rerun(PostgresError)
    /// The connection is of no use; the body may run again on another.
    case reconnect(PostgresError)
    /// The server is silent: it and the connection are not to be trusted.
    case silent
    /// The work fails.
    case fail(CallError)

    /// - Parameter error: met before the commit was sent, or as a clear answer to it.
    init(_ error: PostgresError) {
        switch error {
        case .silent: self = .silent
        case .broken: self = .reconnect(error)
        case .unreadable(let said): self = .fail(CallError(.internal, reason: "store_statement", message: said))
        case .refused(let refusal): self.init(refusal, error)
        }
    }

    /// Codes: PostgreSQL's manual, appendix A.
    private init(_ refusal: PostgresRefusal, _ error: PostgresError) {
        switch refusal.sqlState {
        // Serialization failure, deadlock, a lock not had in time.
        case "40001", "40P01", "55P03": self = .rerun(error)
        // Ended by an operator, starting or stopping, became a standby, too many connections, idle too long in a transaction.
        case "57P01", "57P02", "57P03", "57P04", "57P05", "25006", "53300", "25P03": self = .reconnect(error)
        // A prepared statement that is gone, or whose tables were changed: a new connection prepares it anew.
        case "26000", "42P05", "0A000": self = .reconnect(error)
        case "57014": self = .fail(StoreFailure.overdue)
        case let state where state.hasPrefix("08"): self = .reconnect(error)
        case let state: self = .fail(Self.failure(state, refusal))
        }
    }

    private static func failure(_ state: String, _ refusal: PostgresRefusal) -> CallError {
        let said = "PostgreSQL: \(refusal.message) (\(state))"
        switch state {
        case "53100": return StoreFailure.unavailable("\(said): free space on the disk of its data folder")
        case "42501": return StoreFailure.unavailable("\(said): the service's role must own the service's schema")
        case "22021":
            return CallError(
                .invalidArgument, reason: "store_text", message: "a text holds a NUL, which PostgreSQL does not keep")
        default: break
        }
        switch state.prefix(2) {
        // Resources, limits, operator, input and output, the server's own faults.
        case "53", "54", "57", "58", "XX", "F0": return StoreFailure.unavailable("\(said): see the server's log")
        // What is left is a statement of ours that does not fit the tables.
        default: return CallError(.internal, reason: "store_statement", message: said)
        }
    }
}

extension StoreFailure {
    /// The operation's time ended while the server worked on it.
    static var overdue: CallError {
        CallError(
            .deadlineExceeded, reason: "store_late", message: "the store did not finish before the deadline: nothing was changed")
    }

    /// The connection broke, or the server fell silent, when the commit was on its way.
    static func doubtful(_ said: String) -> CallError {
        CallError(
            .unavailable, reason: "store_unavailable",
            message: "the store failed during the commit (\(said)): whether it took effect is not known", retryAfter: .seconds(1))
    }

    /// Nothing is tried while the server is known to be away.
    static func away(_ said: String) -> CallError {
        CallError(
            .unavailable, reason: "store_unavailable",
            message: "PostgreSQL cannot be reached (\(said)): nothing was changed", retryAfter: .seconds(1), notProcessed: true)
    }

    /// The store was closed.
    static var closed: CallError {
        CallError(.unavailable, reason: "store_unavailable", message: "the store is closed", notProcessed: true)
    }
}
