import BulkheadCore
import GRDB
import GRDBSQLite
import Synchronization

/// Writes SQLite's log back into the file: PASSIVE after a commit that leaves it with `threshold` pages or more, TRUNCATE when
/// nothing was committed for `rest`. Only the connection that writes does so, and never within a transaction.
///
/// EMPTY → (commit) GROWING → (threshold) written back: EMPTY. GROWING → (rest) truncated: EMPTY. A failure changes nothing of
/// what is durable: it is told, and tried again `threshold` pages later, or after the next `rest`.
final class WriteAheadLog: Sendable {
    /// Pages at which the log is written back; 4 MB of them.
    static let threshold = 1_000
    /// Without a commit for so long the log is written back and its file given free.
    static let rest = Duration.seconds(30)

    private struct State {
        /// Pages in the log that are not in the file.
        var pages = 0
        /// How many make it worth a try.
        var due = threshold
        var lastCommit = MonotonicTime.now()
        var isTruncated = false
        var isAsked = false
    }

    private let state = Mutex(State())
    private let observer: StoreObserver

    init(observer: StoreObserver) { self.observer = observer }

    /// Takes the log over from SQLite. Lives as long as the connection.
    func attach(_ db: Database) throws {
        try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<WriteAheadLog>.fromOpaque(context).takeUnretainedValue().grew(to: Int(pages))
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func grew(to pages: Int) {
        state.withLock { state in
            state.pages = pages
            state.lastCommit = .now()
            state.isTruncated = false
        }
    }

    /// After a commit, on SQLite's thread.
    func committed(_ db: Database) {
        let isDue = state.withLock { $0.pages >= $0.due }
        if isDue { write(.passive, db) }
    }

    /// About once a second, on any thread. At most one job of it stands in the queue.
    func tick(_ queue: DatabaseQueue, now: MonotonicTime) {
        let isDue = state.withLock { state in
            guard !state.isTruncated, !state.isAsked, now - state.lastCommit >= Self.rest else { return false }
            state.isAsked = true
            return true
        }
        guard isDue else { return }
        queue.asyncWriteWithoutTransaction { [self] db in
            let isIdle = state.withLock { state in
                state.isAsked = false
                return now - state.lastCommit >= Self.rest
            }
            guard isIdle else { return }
            write(.truncate, db)
            state.withLock { state in
                state.isTruncated = state.pages == 0
                state.lastCommit = max(state.lastCommit, now)
            }
        }
    }

    private func write(_ kind: Database.CheckpointMode, _ db: Database) {
        let began = MonotonicTime.now()
        var outcome = CheckpointOutcome(pages: 0, took: .zero)
        do {
            guard db.sqliteConnection != nil else { return }
            let (pages, written) = try db.checkpoint(kind)
            outcome.pages = max(0, written)
            state.withLock { state in
                state.pages = max(0, pages - written)
                state.due = Self.threshold
            }
        } catch {
            outcome.failure = (error as? DatabaseError)?.message ?? "unexpected failure"
            state.withLock { $0.due = $0.pages + Self.threshold }
        }
        outcome.took = .now() - began
        observer.checkpoint(outcome)
    }
}
