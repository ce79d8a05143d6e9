import BulkheadCore
import GRDB
import Glibc

/// A durable store in one file, opened by one process: one connection, which writes, reads and checkpoints (SQLite before 3.51.3
/// can lose commits when two connections checkpoint and commit at the same moment). WAL, `synchronous=FULL`: what is
/// acknowledged survives a power cut.
package struct SQLiteStore: DurableStore {
    /// SQLite.
    package let kind = StoreKind.sqlite
    /// The connection. Blocks; for checks and copies.
    let queue: DatabaseQueue
    private let path: String
    private let commits: GroupCommit
    private let clock: @Sendable () -> Int64

    /// The clock it was opened with.
    package var now: Int64 { clock() }

    /// Opens the file, makes it when absent, checks it and brings its tables up to date. Blocks.
    /// - Parameter clock: milliseconds since 1970.
    /// - Throws: `StoreOpenError`; a damaged file is left as it is.
    package static func open(
        path: String, schema: StoreSchema, clock: (@Sendable () -> Int64)? = nil, observer: StoreObserver = StoreObserver()
    ) throws -> SQLiteStore {
        let clock = clock ?? { [clock = StoreClock()] in clock.now }
        do {
            try makePrivate(path)
            let queue = try DatabaseQueue(path: path, configuration: configuration(schema))
            // GRDB lowers this to NORMAL with WAL.
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try verify(queue, path, schema)
            try migrator(schema).migrate(queue)
            return SQLiteStore(
                queue: queue, path: path, commits: GroupCommit(queue: queue, clock: clock, observer: observer), clock: clock)
        } catch let error as DatabaseError {
            throw StoreOpenError(error, path: path)
        }
    }

    /// Waits for a place in the next transaction.
    package func transact<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await commits.commit(deadline: deadline, body)
    }

    /// Closes the file. Blocks until work that was taken in is done.
    package func close() throws { try queue.close() }

    private static func configuration(_ schema: StoreSchema) -> Configuration {
        var configuration = Configuration()
        configuration.label = "\(schema.name).sqlite"
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(5)
        return configuration
    }

    private static func migrator(_ schema: StoreSchema) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in schema.migrations {
            migrator.registerMigration(migration.name) { try $0.execute(sql: migration.sqlite) }
        }
        return migrator
    }

    /// The log files SQLite makes beside it take over its mode.
    private static func makePrivate(_ path: String) throws {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw StoreOpenError("\(path) cannot be opened (\(String(cString: strerror(errno)))): check its owner and mode")
        }
        let result = fchmod(file, 0o600)
        Glibc.close(file)
        guard result == 0 else {
            throw StoreOpenError("the mode of \(path) cannot be set to 0600: it must belong to the service's user")
        }
    }

    private static func verify(_ queue: DatabaseQueue, _ path: String, _ schema: StoreSchema) throws {
        if let problem = try quickCheck(queue) { throw StoreOpenError.damaged(path, problem) }
        if try queue.read({ try migrator(schema).hasBeenSuperseded($0) }) {
            throw StoreOpenError(
                "\(path) was written by a later version: start that version, or restore a backup made by this one")
        }
    }
}

// MARK: checks and copies

extension SQLiteStore {
    /// The first thing wrong with the file; nil when it is sound. Reads the whole file. Blocks.
    package func problem() throws -> String? { try Self.quickCheck(queue) }

    /// Bytes of its pages, those still in the log included. Blocks.
    package func size() throws -> Int {
        try queue.read { db in
            (try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0) * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        }
    }

    private static func quickCheck(_ queue: DatabaseQueue) throws -> String? {
        let said = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        return said == "ok" ? nil : said ?? "no answer"
    }

    /// Writes a consistent copy to `destination`, which must not exist. Blocks.
    package func backUp(to destination: String) throws {
        guard access(destination, F_OK) != 0 else {
            throw StoreOpenError("\(destination) exists already: name a file that does not")
        }
        do {
            let copy = try DatabaseQueue(path: destination)
            chmod(destination, 0o600)
            try queue.backup(to: copy)
            try copy.close()
        } catch let error as DatabaseError {
            throw StoreOpenError("the backup to \(destination) failed: \(error.message ?? "\(error.resultCode)")")
        }
    }
}

extension StoreOpenError {
    init(_ error: DatabaseError, path: String) {
        let said = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = .damaged(path, said)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init("\(path) is in use by another program (\(said)): end that program, then start again")
        default:
            self.init("\(path) cannot be used (\(said)): check its owner, its mode and the free space of its disk")
        }
    }

    static func damaged(_ path: String, _ said: String) -> StoreOpenError {
        StoreOpenError(
            "\(path) is damaged (\(said)). Nothing was changed. Move the file and its -wal and -shm aside and put a copy made "
                + "by `store backup FILE` in its place, then start again")
    }
}
