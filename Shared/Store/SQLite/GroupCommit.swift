import BulkheadCore
import DequeModule
import GRDB
import Synchronization

/// Group commit: operations that arrive while one transaction is being made durable share the next one.
///
/// IDLE → (first operation) DRAINING, on SQLite's own thread → (nothing left) IDLE. Operations run in the order of their arrival,
/// each in a savepoint when it is not alone, so that its failure is its own; a failure of the commit is everybody's. At most
/// `maximumWaiting` operations wait; beyond that they are refused with RESOURCE_EXHAUSTED. An operation, once begun, is run even
/// when its caller has left.
final class GroupCommit: Sendable {
    /// Operations that may wait for a commit.
    static let maximumWaiting = 8192
    /// Operations that share a transaction at most: bounds the latency of the first among them.
    static let batchLimit = 256

    /// Tells the caller, after the commit.
    typealias Tell = @Sendable () -> Void

    private struct Operation: Sendable {
        let since: MonotonicTime
        let deadline: MonotonicTime
        /// Runs in the transaction.
        let run: @Sendable (SQLiteTransaction) throws -> Tell
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: Deque<Operation> = []
        var isDraining = false
        /// No later than the first deadline of what waits.
        var earliest = MonotonicTime.never

        mutating func takeLate(_ now: MonotonicTime) -> [Operation] {
            guard earliest <= now else { return [] }
            let late = waiting.filter { $0.deadline <= now }
            waiting.removeAll { $0.deadline <= now }
            earliest = waiting.lazy.map(\.deadline).min() ?? .never
            return Array(late)
        }
    }

    private let state = Mutex(State())
    private let queue: DatabaseQueue
    private let log: WriteAheadLog
    private let statements = PreparedStatements()
    private let clock: @Sendable () -> Int64
    private let observer: StoreObserver

    init(queue: DatabaseQueue, log: WriteAheadLog, clock: @escaping @Sendable () -> Int64, observer: StoreObserver) {
        self.queue = queue
        self.log = log
        self.clock = clock
        self.observer = observer
    }

    func commit<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(
                Operation(
                    since: .now(), deadline: deadline,
                    run: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { [observer] error in
                        observer.failed(error)
                        continuation.resume(throwing: Self.callError(error))
                    }))
        }
    }

    /// Fails what waits and whose caller's time is over, though the store may be amid a commit that does not end.
    func expire(now: MonotonicTime) {
        for operation in state.withLock({ $0.takeLate(now) }) { operation.fail(StoreFailure.late) }
    }

    /// Forgets compiled statements. On SQLite's thread.
    func end() { statements.clear() }

    private func enqueue(_ operation: Operation) {
        enum Step { case refuse, wait, drain }
        let step = state.withLock { state -> Step in
            guard state.waiting.count < Self.maximumWaiting else { return .refuse }
            state.waiting.append(operation)
            state.earliest = min(state.earliest, operation.deadline)
            defer { state.isDraining = true }
            return state.isDraining ? .wait : .drain
        }
        switch step {
        case .refuse: operation.fail(StoreFailure.busy(Self.maximumWaiting))
        case .wait: expire(now: operation.since)
        case .drain: queue.asyncWriteWithoutTransaction { [self] in drain($0) }
        }
    }

    private func drain(_ db: Database) {
        guard let batch = next() else { return }
        commit(batch, db)
        log.committed(db)
        // Behind what stands in the queue by now: a check, a copy.
        queue.asyncWriteWithoutTransaction { [self] in drain($0) }
    }

    private func next() -> [Operation]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isDraining = false
                return nil
            }
            let batch = Array(state.waiting.prefix(Self.batchLimit))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }

    private func commit(_ taken: [Operation], _ db: Database) {
        let began = MonotonicTime.now()
        let batch = taken.filter { $0.deadline > began }
        for operation in taken where operation.deadline <= began { operation.fail(StoreFailure.late) }
        guard let first = batch.first else { return }
        let (results, failure) = run(batch, db)
        let broken = failure ?? results.lazy.compactMap(\.storeFailure).first
        observer.commit(
            CommitOutcome(
                operations: batch.count, took: .now() - began, waited: began - first.since,
                failure: broken.map { Self.callError($0).message }))
        for (operation, result) in zip(batch, results) {
            switch result {
            case .success(let tell): tell()
            case .failure(let error): operation.fail(error)
            }
        }
    }

    /// - Returns: what became of each operation; and why the transaction failed, if it did.
    private func run(_ batch: [Operation], _ db: Database) -> ([Result<Tell, any Error>], (any Error)?) {
        var results: [Result<Tell, any Error>] = []
        results.reserveCapacity(batch.count)
        do {
            guard let connection = db.sqliteConnection else {
                throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the store is closed")
            }
            let transaction = SQLiteTransaction(connection, statements, now: clock(), observer: observer)
            try db.inTransaction(.immediate) {
                guard batch.count > 1 else {
                    let result = Result { try batch[0].run(transaction) }
                    results.append(result)
                    return result.isSuccess ? .commit : .rollback
                }
                for operation in batch {
                    // Those before it took their time.
                    let isLate = operation.deadline <= .now()
                    results.append(isLate ? .failure(StoreFailure.late) : try transaction.apart(operation.run))
                }
                return .commit
            }
            return (results, nil)
        } catch {
            return (batch.map { _ in .failure(error) }, error)
        }
    }

    fileprivate static func callError(_ error: any Error) -> CallError {
        if let error = error as? CallError { return error }
        guard let error = error as? DatabaseError else { return StoreFailure.unavailable("unexpected failure") }
        let said = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        // A statement of ours that does not fit the tables, as PostgreSQL's store tells it.
        case .SQLITE_ERROR, .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_RANGE, .SQLITE_TOOBIG:
            return CallError(.internal, reason: "store_statement", message: "SQLite: \(said)")
        default: return StoreFailure.unavailable("\(said); check the disk's free space and health")
        }
    }
}

extension Result where Success == GroupCommit.Tell, Failure == any Error {
    fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }

    /// The error, if the store is to blame and not the operation.
    fileprivate var storeFailure: (any Error)? {
        guard case .failure(let error) = self, !(error is CallError) else { return nil }
        return GroupCommit.callError(error).code == .unavailable ? error : nil
    }
}
