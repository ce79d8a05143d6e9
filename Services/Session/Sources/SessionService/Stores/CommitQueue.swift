import BulkheadCore
import GRDB
import Synchronization

/// Group commit: operations that arrive while one transaction is being made durable share the next one.
///
/// IDLE → (first operation) DRAINING, on SQLite's own thread → (nothing left) IDLE. Each operation runs in a savepoint, so
/// that its failure is its own; a failure of the commit is everybody's. At most `maximumWaiting` operations wait; beyond
/// that they are refused with RESOURCE_EXHAUSTED. An operation, once taken in, is run even when its caller has left.
package final class CommitQueue: Sendable {
    /// Operations that may wait for a commit.
    static let maximumWaiting = 8192
    /// Operations that share a transaction at most: bounds the latency of the first among them.
    static let batchLimit = 256

    private struct Operation: Sendable {
        /// Runs in the transaction; what it returns tells the caller, after the commit.
        let run: @Sendable (Database) throws -> @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: [Operation] = []
        var isDraining = false
    }

    private let state = Mutex(State())
    private let store: SessionStore
    private let observe: @Sendable (CommitOutcome) -> Void

    /// - Parameter observe: told of every commit, on SQLite's thread.
    package init(store: SessionStore, observe: @escaping @Sendable (CommitOutcome) -> Void = { _ in }) {
        self.store = store
        self.observe = observe
    }

    /// Runs `body` in a transaction and returns when that is durable.
    /// - Throws: what `body` throws, if it is a `CallError`; RESOURCE_EXHAUSTED `store_busy`; UNAVAILABLE
    ///   `store_unavailable` when SQLite fails.
    package func commit<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(
                Operation(
                    run: { db in
                        let value = try body(db)
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
        case .refuse:
            operation.fail(
                CallError(
                    .resourceExhausted, reason: "store_busy",
                    message: "\(Self.maximumWaiting) operations wait for the session store already: try again in a moment",
                    retryAfter: .seconds(1), notProcessed: true))
        case .wait: break
        case .drain: store.queue.asyncWriteWithoutTransaction { [self] in drain($0) }
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

    private func commit(_ batch: [Operation], _ db: Database) {
        let began = MonotonicTime.now()
        var results: [Result<@Sendable () -> Void, any Error>] = []
        var failure: (any Error)?
        do {
            try db.inTransaction(.immediate) {
                for operation in batch { results.append(attempt(operation, db)) }
                return .commit
            }
        } catch {
            failure = error
            results = batch.map { _ in .failure(error) }
        }
        let broken = failure ?? results.lazy.compactMap(\.storeFailure).first
        observe(CommitOutcome(operations: batch.count, took: .now() - began, failure: broken.map { Self.callError($0).message }))
        for (operation, result) in zip(batch, results) {
            switch result {
            case .success(let tell): tell()
            case .failure(let error): operation.fail(error)
            }
        }
    }

    private func attempt(_ operation: Operation, _ db: Database) -> Result<@Sendable () -> Void, any Error> {
        Result {
            var tell: (@Sendable () -> Void)?
            try db.inSavepoint {
                tell = try operation.run(db)
                return .commit
            }
            guard let tell else { throw CallError(.internal, message: "the session store lost an operation") }
            return tell
        }
    }

    private static func callError(_ error: any Error) -> CallError {
        if let error = error as? CallError { return error }
        let said = (error as? DatabaseError).map { $0.message ?? "\($0.resultCode)" } ?? "unexpected failure"
        return CallError(
            .unavailable, reason: "store_unavailable",
            message: "the session store failed (\(said)): nothing was changed; check the disk's free space and health",
            retryAfter: .seconds(1))
    }
}

/// One commit, for metrics and health.
package struct CommitOutcome: Sendable {
    /// Operations that shared it.
    package var operations: Int
    /// From the begin of the transaction until it was durable.
    package var took: Duration
    /// What SQLite said when it failed; nil when it did not.
    package var failure: String?
}

extension Result where Success == @Sendable () -> Void, Failure == any Error {
    /// The error, if it is the store's and not the operation's own refusal.
    fileprivate var storeFailure: (any Error)? {
        guard case .failure(let error) = self, !(error is CallError) else { return nil }
        return error
    }
}
