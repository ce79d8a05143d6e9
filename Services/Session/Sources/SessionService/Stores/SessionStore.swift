import BulkheadCore
import GRDB
import Glibc

/// `session.sqlite`: one connection, which writes, reads and checkpoints. Work reaches it through `CommitQueue`.
package struct SessionStore: Sendable {
    /// The connection.
    package let queue: DatabaseQueue

    /// Opens the file, makes it when absent, checks it and brings its tables up to date. Blocks.
    /// - Throws: `SessionStoreError`; a damaged file is left as it is.
    package static func open(path: String) throws -> SessionStore {
        do {
            try makePrivate(path)
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            // GRDB lowers this to NORMAL with WAL; an acknowledged admission must survive a power cut.
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try verify(queue, path)
            try SessionSchema.migrator.migrate(queue)
            return SessionStore(queue: queue)
        } catch let error as DatabaseError {
            throw SessionStoreError(error, path: path)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "session.sqlite"
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(5)
        return configuration
    }

    /// The log files SQLite makes beside it take over its mode.
    private static func makePrivate(_ path: String) throws {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw SessionStoreError("\(path) cannot be opened (\(String(cString: strerror(errno)))): check its owner and mode")
        }
        let result = fchmod(file, 0o600)
        Glibc.close(file)
        guard result == 0 else {
            throw SessionStoreError("the mode of \(path) cannot be set to 0600: it must belong to the service's user")
        }
    }

    private static func verify(_ queue: DatabaseQueue, _ path: String) throws {
        if let problem = try quickCheck(queue) { throw SessionStoreError.damaged(path, problem) }
        if try queue.read({ try SessionSchema.migrator.hasBeenSuperseded($0) }) {
            throw SessionStoreError(
                "\(path) was written by a later version: start that version, or restore a backup made by this one")
        }
    }

    /// The first thing wrong with the file; nil when it is sound. Reads the whole file.
    static func quickCheck(_ queue: DatabaseQueue) throws -> String? {
        let said = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        return said == "ok" ? nil : said ?? "no answer"
    }

    /// Writes a consistent copy to `destination`, which must not exist. Blocks.
    package func backUp(to destination: String) throws {
        guard access(destination, F_OK) != 0 else {
            throw SessionStoreError("\(destination) exists already: name a file that does not")
        }
        do {
            let copy = try DatabaseQueue(path: destination)
            chmod(destination, 0o600)
            try queue.backup(to: copy)
            try copy.close()
        } catch let error as DatabaseError {
            throw SessionStoreError("the backup to \(destination) failed: \(error.message ?? "\(error.resultCode)")")
        }
    }
}

/// Why the store cannot be used, and what to do.
package struct SessionStoreError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

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

    static func damaged(_ path: String, _ said: String) -> SessionStoreError {
        SessionStoreError(
            "\(path) is damaged (\(said)). Nothing was changed. Move the file and its -wal and -shm aside and put a copy made "
                + "by `bulkhead-session store backup FILE` in its place, then start again")
    }
}
