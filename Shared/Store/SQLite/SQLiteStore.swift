import BulkheadCore
import GRDB

/// A durable store in one file, opened by one process: one connection, which writes, reads and checkpoints (SQLite before 3.51.3
/// can lose commits when two connections checkpoint and commit at the same moment). WAL, `synchronous=FULL`: what is
/// acknowledged survives a power cut.
package struct SQLiteStore: DurableStore {
    /// A file up to this many bytes is checked as a whole at the start (about a second); a larger one by `store check`, and
    /// the start looks at its header and its list of tables only.
    package static let wholeCheckBytes = 256 << 20

    /// SQLite.
    package let kind = StoreKind.sqlite
    /// The connection. Blocks; for checks and copies.
    let queue: DatabaseQueue
    let schema: StoreSchema
    let file: OwnedFile
    private let log: WriteAheadLog
    private let commits: GroupCommit
    private let clock: @Sendable () -> Int64

    /// The clock it was opened with.
    package var now: Int64 { clock() }

    /// Opens the file, makes it when absent, checks it and brings its tables up to date. Blocks.
    /// - Parameters:
    ///   - clock: milliseconds since 1970.
    ///   - disk: what file systems it may lie on.
    /// - Throws: `StoreOpenError`; a damaged file is left as it is.
    package static func open(
        path: String, schema: StoreSchema, clock: (@Sendable () -> Int64)? = nil, observer: StoreObserver = StoreObserver(),
        disk: LocalDisk = LocalDisk()
    ) throws -> SQLiteStore {
        let clock = clock ?? { [clock = StoreClock()] in clock.now }
        try disk.require(folder(of: path))
        let file = try OwnedFile(path)
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(schema))
            let log = WriteAheadLog(observer: observer)
            try queue.writeWithoutTransaction { db in
                // GRDB lowers this to NORMAL with WAL.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try log.attach(db)
            }
            try verify(queue, path, schema)
            try migrator(schema).migrate(queue)
            let commits = GroupCommit(queue: queue, log: log, clock: clock, observer: observer)
            return SQLiteStore(queue: queue, schema: schema, file: file, log: log, commits: commits, clock: clock)
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

    /// Checks and copies of the file.
    package var inspection: any StoreInspection { self }

    /// Gives the log's space back when nothing was committed for a while, and fails what waits beyond its time.
    package func tick(now: MonotonicTime) {
        commits.expire(now: now)
        log.tick(queue, now: now)
    }

    /// Closes the file. Blocks until work that was taken in is done.
    package func close() throws {
        queue.writeWithoutTransaction { _ in commits.end() }
        try queue.close()
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func configuration(_ schema: StoreSchema) -> Configuration {
        var configuration = Configuration()
        configuration.label = "\(schema.name).sqlite"
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in
            // A page that the disk cannot give back is an error to be told, not a signal that kills.
            try db.execute(sql: "PRAGMA mmap_size = 0")
        }
        return configuration
    }

    static func migrator(_ schema: StoreSchema) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in schema.migrations {
            migrator.registerMigration(migration.name) { try $0.execute(sql: migration.sqlite) }
        }
        return migrator
    }

    private static func verify(_ queue: DatabaseQueue, _ path: String, _ schema: StoreSchema) throws {
        let problem = try queue.read { db in
            try SQLiteCheck.bytes(db) <= wholeCheckBytes ? SQLiteCheck.whole(db) : SQLiteCheck.outline(db)
        }
        if let problem { throw StoreOpenError.damaged(path, problem) }
        if try queue.read({ try migrator(schema).hasBeenSuperseded($0) }) {
            throw StoreOpenError(
                "\(path) was written by a later version: start that version, or restore a backup made by this one")
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
