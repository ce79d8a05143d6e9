import BulkheadCore
import GRDB
import Synchronization

/// Group commit: operations that arrive while one transaction is being made durable share the next one.
///
/// IDLE → (first operation) DRAINING, on SQLite's own thread → (nothing left) IDLE. Each operation runs in a savepoint, so
/// that its failure is its own; a failure of the commit is everybody's. At most `maximumWaiting` operations wait; beyond
/// that they are refused with RESOURCE_EXHAUSTED. An operation, once begun, is run even when its caller has left.
final class GroupCommit: Sendable {
    /// Operations that may wait for a commit.
    static let maximumWaiting = 8192
    /// Operations that share a transaction at most: bounds the latency of the first among them.
    static let batchLimit = 256

    private struct Operation: Sendable {
        let since: MonotonicTime
        let deadline: MonotonicTime
        /// Runs in the transaction; what it returns tells the caller, after the commit.
        let run: @Sendable (SQLiteTransaction) throws -> @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: [Operation] = []
        var isDraining = false
    }

    private let state = Mutex(State())
    private let queue: DatabaseQueue
    private let clock: @Sendable () -> Int64
    private let observer: StoreObserver

    init(queue: DatabaseQueue, clock: @escaping @Sendable () -> Int64, observer: StoreObserver) {
        self.queue = queue
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
                    fail: { continuation.resume(throwing: Self.callError($0)) }))
        }
    }

    private func enqueue(_ operation: Operation) {
        enum Step { case refuse, wait, drain }
        let step = state.withLock { state -> Step in
            guard state.waiting.count < Self.maximumWaiting else { return .refuse }
            state.waiting.append(operation)
            defer { state.isDraining = true }
            return state.isDraining ? .wait : .drain
        }
        switch step {
        case .refuse: operation.fail(StoreFailure.busy(Self.maximumWaiting))
        case .wait: break
        case .drain: queue.asyncWriteWithoutTransaction { [self] in drain($0) }
        }
    }

    private func drain(_ db: Database) {
        while let batch = next() { commit(batch, db) }
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
        var results: [Result<@Sendable () -> Void, any Error>] = []
        var failure: (any Error)?
        let transaction = SQLiteTransaction(db: db, now: clock(), observer: observer)
        do {
            try db.inTransaction(.immediate) {
                for operation in batch { results.append(attempt(operation, transaction)) }
                return .commit
            }
        } catch {
            failure = error
            results = batch.map { _ in .failure(error) }
        }
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

    private func attempt(
        _ operation: Operation, _ transaction: SQLiteTransaction
    ) -> Result<@Sendable () -> Void, any Error> {
        Result {
            var tell: (@Sendable () -> Void)?
            try transaction.db.inSavepoint {
                tell = try operation.run(transaction)
                return .commit
            }
            guard let tell else { throw CallError(.internal, message: "the store lost an operation") }
            return tell
        }
    }

    private static func callError(_ error: any Error) -> CallError {
        if let error = error as? CallError { return error }
        guard let error = error as? DatabaseError else { return StoreFailure.unavailable("unexpected failure") }
        return StoreFailure.unavailable("\(error.message ?? "\(error.resultCode)"); check the disk's free space and health")
    }
}

extension Result where Success == @Sendable () -> Void, Failure == any Error {
    /// The error, if it is the store's and not the operation's own refusal.
    fileprivate var storeFailure: (any Error)? {
        guard case .failure(let error) = self, !(error is CallError) else { return nil }
        return error
    }
}
