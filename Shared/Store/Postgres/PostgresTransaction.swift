import BulkheadCore
import BulkheadPostgres

/// A connection as its thread holds it.
final class PostgresSession {
    let connection: PostgresConnection

    init(_ target: PostgresTarget) throws(PostgresError) { connection = try PostgresConnection.open(target) }
}

/// A body's view of a connection: UNBEGUN → (first statement: BEGIN goes out with it) BEGUN → (commit) OVER.
/// BEGUN → (a statement failed) FAILED → (rollback) OVER. A body without statements costs the server nothing.
final class PostgresTransaction: StoreTransaction {
    let now: Int64
    /// A statement failed: nothing more is run, whatever the body makes of it.
    private(set) var failure: PostgresError?
    /// The commit was sent and no answer to it came.
    private(set) var isInDoubt = false
    private var isOpen = false
    private let session: PostgresSession
    private let schema: String
    private let deadline: MonotonicTime
    private let observer: StoreObserver

    init(session: PostgresSession, schema: String, now: Int64, deadline: MonotonicTime, observer: StoreObserver) {
        self.session = session
        self.schema = schema
        self.now = now
        self.deadline = deadline
        self.observer = observer
    }

    func rows(_ statement: Statement, _ values: [SQLValue]) throws -> [SQLRow] {
        let answer = try timed(statement, [values])
        var rows: [SQLRow] = []
        for row in 0 ..< answer.rowCount { rows.append(SQLRow(try answer.row(row).map(SQLValue.init))) }
        return rows
    }

    func run(_ statement: Statement, _ values: [SQLValue]) throws -> Int { try timed(statement, [values]).changed }

    func runEach(_ statement: Statement, _ rows: [[SQLValue]]) throws {
        // Bounded, so that neither side's memory grows with the caller's.
        for start in stride(from: 0, to: rows.count, by: Self.mostInOneWrite) {
            _ = try timed(statement, Array(rows[start ..< min(start + Self.mostInOneWrite, rows.count)]))
        }
    }

    private static let mostInOneWrite = 256

    private func timed(_ statement: Statement, _ rows: [[SQLValue]]) throws(PostgresError) -> PostgresResult {
        let began = MonotonicTime.now()
        defer { observer.statement(statement, .now() - began) }
        return try send(rows.map { PostgresCommand(statement.sql, $0.map(PostgresValue.init), isRepeated: true) })
    }

    private func send(_ commands: [PostgresCommand]) throws(PostgresError) -> PostgresResult {
        if let failure { throw failure }
        let opening = isOpen ? [] : Self.opening(schema, deadline)
        isOpen = true
        do {
            return try session.connection.exchange(opening + commands, deadline: deadline)
        } catch {
            failure = error
            throw error
        }
    }

    /// Makes what the body did durable.
    func commit() throws(PostgresError) {
        if let failure { throw failure }
        guard isOpen else { return }
        do throws(PostgresError) {
            let answer = try session.connection.exchange([PostgresCommand("COMMIT", isRepeated: true)], deadline: deadline)
            isOpen = false
            if answer.tag != "COMMIT" { throw .unreadable("the transaction was rolled back instead of committed") }
        } catch {
            if case .refused = error { isOpen = false } else { isInDoubt = isOpen }
            throw error
        }
    }

    /// Undoes what the body did. - Returns: false when the connection is of no further use.
    func rollBack() -> Bool {
        guard isOpen else { return true }
        isOpen = false
        do {
            _ = try session.connection.exchange([PostgresCommand("ROLLBACK")], deadline: max(deadline, .now() + .seconds(1)))
            return true
        } catch {
            // The server rolls back by itself when the connection ends.
            return false
        }
    }
}

extension PostgresTransaction {
    /// Settings of this transaction alone. The server ends a statement a little before the caller's deadline, so that the
    /// connection stays good; a process that is stopped amid a transaction loses its locks after ten seconds; and a commit is on
    /// the disk also where the administrator made others faster.
    static func opening(_ schema: String, _ deadline: MonotonicTime) -> [PostgresCommand] {
        let left = max(1, (deadline - .now()).nanosecondsClamped / 1_000_000)
        let limit = max(1, left - min(100, left / 10))
        return [
            PostgresCommand("BEGIN ISOLATION LEVEL READ COMMITTED", isRepeated: true),
            PostgresCommand(settings, [.text(quoted(schema)), .text("\(min(limit, Int64(Int32.max)))ms")], isRepeated: true),
        ]
    }

    static func quoted(_ name: String) -> String {
        "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
    }

    private static let settings = """
        SELECT set_config('search_path', $1, true), set_config('statement_timeout', $2, true),
            set_config('idle_in_transaction_session_timeout', '10s', true),
            CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
        """
}

extension PostgresValue {
    init(_ value: SQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let integer): self = .integer(integer)
        case .text(let text): self = .text(text)
        case .bytes(let bytes): self = .bytes(bytes)
        }
    }
}

extension SQLValue {
    init(_ value: PostgresValue) {
        switch value {
        case .null: self = .null
        case .integer(let integer): self = .integer(integer)
        case .text(let text): self = .text(text)
        case .bytes(let bytes): self = .bytes(bytes)
        }
    }
}
