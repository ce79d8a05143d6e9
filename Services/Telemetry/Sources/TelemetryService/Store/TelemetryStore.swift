import BulkheadCore
import GRDB
import Glibc

/// `telemetry.sqlite`: one connection, which writes, reads and checkpoints, on a thread of its own.
package struct TelemetryStore: Sendable {
    /// A larger file is not read through at the start, which must stay short.
    private static let quickCheckLimit = 32 << 20

    private let queue: DatabaseQueue

    /// Opens the file, makes it when absent and brings its tables up to date. Blocks.
    /// - Throws: `TelemetryStoreError`; a damaged file is left as it is.
    package static func open(path: String) throws -> TelemetryStore {
        do {
            var configuration = Configuration()
            configuration.label = "telemetry.sqlite"
            configuration.journalMode = .wal
            configuration.busyMode = .timeout(5)
            try makePrivate(path)
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            // GRDB lowers this to NORMAL with WAL; what is acknowledged to a producer must survive a power cut.
            // The pages of the newest events are written with every batch: they leave the log for the file once in 16 MiB.
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")
            }
            try verify(queue, path)
            try TelemetrySchema.migrator.migrate(queue)
            return TelemetryStore(queue: queue)
        } catch let error as DatabaseError {
            throw TelemetryStoreError(error, path: path)
        }
    }

    /// The log files SQLite makes beside it take over its mode.
    private static func makePrivate(_ path: String) throws {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw TelemetryStoreError("\(path) cannot be opened (\(String(cString: strerror(errno)))): check its owner and mode")
        }
        let result = fchmod(file, 0o600)
        Glibc.close(file)
        guard result == 0 else {
            throw TelemetryStoreError("the mode of \(path) cannot be set to 0600: it must belong to the service's user")
        }
    }

    private static func verify(_ queue: DatabaseQueue, _ path: String) throws {
        var info = stat()
        if stat(path, &info) == 0, info.st_size <= quickCheckLimit {
            let said = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
            if said != "ok" { throw TelemetryStoreError.damaged(path, said ?? "no answer") }
        }
        if try queue.read({ try TelemetrySchema.migrator.hasBeenSuperseded($0) }) {
            throw TelemetryStoreError("\(path) was written by a later version: start that version, or move the file aside")
        }
    }

    /// Runs `body` in a transaction on SQLite's thread; returns when it is durable. Runs to its end even when the caller leaves.
    /// - Throws: what `body` throws, and `DatabaseError`.
    package func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.asyncWriteWithoutTransaction { db in
                continuation.resume(
                    with: Result {
                        var value: Value?
                        try db.inTransaction(.immediate) {
                            value = try body(db)
                            return .commit
                        }
                        guard let value else { throw TelemetryStoreError("the store lost a transaction") }
                        return value
                    })
            }
        }
    }

    /// Closes the file. Blocks.
    package func close() throws { try queue.close() }
}

/// Why the store cannot be used, and what to do.
package struct TelemetryStoreError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    init(_ error: DatabaseError, path: String) {
        let said = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path, said)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init("\(path) is in use by another program (\(said)): end that program, then start again")
        default: self.init("\(path) cannot be used (\(said)): check its owner, its mode and the free space of its disk")
        }
    }

    static func damaged(_ path: String, _ said: String) -> TelemetryStoreError {
        TelemetryStoreError(
            "\(path) is damaged (\(said)). Nothing was changed. Restore it from a backup, or move the file and its -wal and -shm "
                + "aside to begin with an empty history, then start again")
    }
}
