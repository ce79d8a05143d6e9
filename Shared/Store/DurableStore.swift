import BulkheadCore

/// State that must not be lost: SQLite or PostgreSQL, with the same statements, the same meaning and one conformance suite.
///
/// Work is given as a body that runs on a thread of the store's, in a transaction of its own, and may run again when the store
/// asks for it (PostgreSQL: a deadlock, a connection that broke before the commit): it changes nothing but the store.
package protocol DurableStore: Sendable {
    /// `sqlite` or `postgres`.
    var kind: StoreKind { get }

    /// The store's clock in milliseconds since 1970: one for all who share the store, and not moved by a step of the host's.
    var now: Int64 { get }

    /// Runs `body` in a transaction, and returns when what it did is durable.
    /// - Parameter deadline: beyond it the work is not begun any more, and PostgreSQL ends statements that run.
    /// - Throws: what `body` throws, if it is a `CallError`: nothing is changed then. RESOURCE_EXHAUSTED `store_busy` when too
    ///   much waits; UNAVAILABLE `store_unavailable` when the store fails; DEADLINE_EXCEEDED.
    func transact<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value

    /// Does `operation` in a transaction, which it may share with others of its kind, and returns when it is durable.
    /// - Throws: as `transact` with a body.
    func transact<Value: Sendable>(deadline: MonotonicTime, _ operation: StoreOperation<Value>) async throws -> Value

    /// What an operator may ask of it.
    var inspection: any StoreInspection { get }

    /// Called about once a second by the service, on any thread: what a store does when it has nothing else to do. Never waits.
    func tick(now: MonotonicTime)
}

extension DurableStore {
    /// Nothing.
    package func tick(now: MonotonicTime) {}

    /// As any body.
    package func transact<Value: Sendable>(deadline: MonotonicTime, _ operation: StoreOperation<Value>) async throws -> Value {
        try await transact(deadline: deadline) { try operation.run($0) }
    }

    /// The same without a deadline: bounded by the store's own limits.
    @discardableResult
    package func transact<Value: Sendable>(
        _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await transact(deadline: .never, body)
    }
}

/// Which store it is.
package enum StoreKind: String, Sendable, Codable {
    case sqlite
    case postgres
}

/// What a body may do. Used on the thread it was given on, and not after the body.
package protocol StoreTransaction {
    /// The store's clock in milliseconds since 1970, the same for the whole transaction.
    var now: Int64 { get }

    /// Runs a statement and gives its rows.
    func rows(_ statement: Statement, _ values: [SQLValue]) throws -> [SQLRow]

    /// Runs a statement and gives how many rows it changed.
    @discardableResult
    func run(_ statement: Statement, _ values: [SQLValue]) throws -> Int

    /// Runs a statement once for each of `rows`, in order; PostgreSQL gets them in one write.
    func runEach(_ statement: Statement, _ rows: [[SQLValue]]) throws
}

extension StoreTransaction {
    /// One after the other.
    package func runEach(_ statement: Statement, _ rows: [[SQLValue]]) throws {
        for values in rows { try run(statement, values) }
    }
}

/// One commit, for metrics and health.
package struct CommitOutcome: Sendable {
    /// Operations that shared it.
    package var operations: Int
    /// From the begin of the transaction until it was durable.
    package var took: Duration
    /// How long the first of them had waited.
    package var waited: Duration
    /// What the store said when it failed; nil when it did not.
    package var failure: String?
}

/// One checkpoint of SQLite, for metrics.
package struct CheckpointOutcome: Sendable {
    /// Pages of the log that are in the file now.
    package var pages: Int
    package var took: Duration
    /// What the store said when it failed; nothing is lost then.
    package var failure: String?
}

/// Why an operation was not served; the reason of its error.
package enum UnservedReason: String, Sendable, CaseIterable {
    /// Its caller's time was over.
    case late = "store_late"
    /// Too much waits already.
    case busy = "store_busy"
}

/// What a store tells of itself, on a thread of its own.
package struct StoreObserver: Sendable {
    /// A commit went through, or failed.
    package var commit: @Sendable (CommitOutcome) -> Void
    /// A statement ran, or failed.
    package var ran: @Sendable (StatementOutcome) -> Void
    /// SQLite's log was written back, or could not be.
    package var checkpoint: @Sendable (CheckpointOutcome) -> Void
    /// An operation was not served: its time was over before a connection was free or the statement done, or too much waits.
    package var unserved: @Sendable (UnservedReason) -> Void

    /// An observer; by default nobody looks.
    package init(
        commit: @escaping @Sendable (CommitOutcome) -> Void = { _ in },
        ran: @escaping @Sendable (StatementOutcome) -> Void = { _ in },
        checkpoint: @escaping @Sendable (CheckpointOutcome) -> Void = { _ in },
        unserved: @escaping @Sendable (UnservedReason) -> Void = { _ in }
    ) {
        self.commit = commit
        self.ran = ran
        self.checkpoint = checkpoint
        self.unserved = unserved
    }

    /// Tells of an operation that fails so, if it was not served.
    func failed(_ error: any Error) {
        guard let reason = (error as? CallError).flatMap({ UnservedReason(rawValue: $0.reason) }) else { return }
        unserved(reason)
    }

    /// A statement ran for so long.
    /// - Parameter rows: that it gave, or changed.
    func statement(_ statement: Statement, _ took: Duration, rows: Int = 0) {
        ran(StatementOutcome(name: statement.name, took: took, rows: rows))
    }
}
