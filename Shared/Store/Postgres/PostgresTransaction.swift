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
    private let lockLimit: Duration?
    private let observer: StoreObserver

    /// A server that is slow is not away: an answer is waited for at least so long, though its caller leaves before. Without it
    /// one caller with little time left would cost all others the connection.
    private static let patience = Duration.seconds(1)

    /// - Parameter lockLimit: how long a statement may wait for a lock; nil: as the server has it.
    init(
        session: PostgresSession, schema: String, now: Int64, deadline: MonotonicTime, lockLimit: Duration? = nil,
        observer: StoreObserver
    ) {
        self.session = session
        self.schema = schema
        self.now = now
        self.deadline = deadline
        self.lockLimit = lockLimit
        self.observer = observer
    }

    func rows(_ statement: Statement, _ values: [SQLValue]) throws -> [SQLRow] {
        var rows: [SQLRow] = []
        try send([(statement, values)]) { _, answer throws(PostgresError) in rows = try Self.rows(of: answer) }
        return rows
    }

    /// Runs statements in one write. - Returns: the rows of each.
    func rowsOfEach(_ statements: [FirstStatement]) throws -> [[SQLRow]] {
        var rows = [[SQLRow]](repeating: [], count: statements.count)
        try send(statements.map { ($0.statement, $0.values(now)) }) { place, answer throws(PostgresError) in
            rows[place] = try Self.rows(of: answer)
        }
        return rows
    }

    private static func rows(of answer: borrowing PostgresResult) throws(PostgresError) -> [SQLRow] {
        var rows: [SQLRow] = []
        rows.reserveCapacity(answer.rowCount)
        for row in 0 ..< answer.rowCount { rows.append(SQLRow(try answer.row(row).map(SQLValue.init))) }
        return rows
    }

    func run(_ statement: Statement, _ values: [SQLValue]) throws -> Int {
        var changed = 0
        try send([(statement, values)]) { changed = $1.changed }
        return changed
    }

    func runEach(_ statement: Statement, _ rows: [[SQLValue]]) throws {
        // Bounded, so that neither side's memory grows with the caller's.
        for start in stride(from: 0, to: rows.count, by: Self.mostInOneWrite) {
            try send(rows[start ..< min(start + Self.mostInOneWrite, rows.count)].map { (statement, $0) }) { _, _ in }
        }
    }

    private static let mostInOneWrite = 256

    /// Sends statements in one write, BEGIN before the first of all, and takes their answers in order.
    private func send(
        _ statements: [(Statement, [SQLValue])],
        _ take: (Int, borrowing PostgresResult) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        if let failure { throw failure }
        let opening = isOpen ? [] : Self.opening(schema, deadline, lockLimit)
        isOpen = true
        let commands = statements.map { PostgresCommand($0.sql, $1.map(PostgresValue.init), isRepeated: true) }
        var since = MonotonicTime.now()
        var done = 0
        do {
            try session.connection.exchange(opening + commands, deadline: silence) { index, answer throws(PostgresError) in
                guard index >= opening.count else { return }
                let statement = statements[index - opening.count].0
                // Of several in one write each is done when its answer is there.
                let now = MonotonicTime.now()
                observer.statement(statement, now - since, rows: answer.changed)
                since = now
                done += 1
                try take(index - opening.count, answer)
            }
        } catch {
            if done < statements.count { observer.statement(statements[done].0, .now() - since) }
            failure = error
            throw error
        }
    }

    /// When a server that has not answered is silent.
    private var silence: MonotonicTime { max(deadline, .now() + Self.patience) }

    /// Makes what the body did durable.
    func commit() throws(PostgresError) {
        if let failure { throw failure }
        guard isOpen else { return }
        do throws(PostgresError) {
            let answer = try session.connection.exchange([PostgresCommand("COMMIT", isRepeated: true)], deadline: silence)
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
            _ = try session.connection.exchange([PostgresCommand("ROLLBACK")], deadline: silence)
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
    static func opening(_ schema: String, _ deadline: MonotonicTime, _ lockLimit: Duration? = nil) -> [PostgresCommand] {
        let left = max(1, (deadline - .now()).nanosecondsClamped / 1_000_000)
        let limit = max(1, left - min(100, left / 10))
        let values: [PostgresValue] = [.text(quoted(schema)), .text("\(min(limit, Int64(Int32.max)))ms")]
        let settings = lockLimit.map { limit in
            PostgresCommand(lockSettings, values + [.text("\(Int(limit.milliseconds))ms")], isRepeated: true)
        }
        return [
            PostgresCommand("BEGIN ISOLATION LEVEL READ COMMITTED", isRepeated: true),
            settings ?? PostgresCommand(Self.settings, values, isRepeated: true),
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
    private static let lockSettings = settings + ", set_config('lock_timeout', $3, true)"
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
