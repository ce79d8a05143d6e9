import GRDB
import GRDBSQLite
import Glibc

/// A copy of a database that is written while others write the database.
///
/// OPEN → (first pages) COPYING → (last page) DONE, or → (failure) ABANDONED: the file is deleted.
///
/// `@unchecked Sendable`: copies on SQLite's thread, and is used by one task, one step after the other.
final class OnlineBackup: @unchecked Sendable {
    /// Pages copied at once; 4 MB of them.
    static let step: Int32 = 1_000

    private let path: String
    private var target: OpaquePointer?
    private var copy: OpaquePointer?

    /// - Throws: `StoreOpenError`; when there is such a file already, too.
    init(_ path: String) throws {
        self.path = path
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            if errno == EEXIST { throw StoreOpenError("\(path) exists already: name a file that does not") }
            throw StoreOpenError("\(path) cannot be made (\(String(cString: strerror(errno)))): name another place")
        }
        Glibc.close(file)
        guard sqlite3_open_v2(path, &target, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK else {
            abandon()
            throw Self.failure(path, "it cannot be opened")
        }
    }

    deinit { close() }

    /// - Returns: whether there is more.
    func copyMore(from source: Database) throws -> Bool {
        if copy == nil { copy = sqlite3_backup_init(target, "main", source.sqliteConnection, "main") }
        guard let copy else { throw error() }
        switch sqlite3_backup_step(copy, Self.step) {
        case SQLITE_OK: return true
        case SQLITE_DONE:
            self.copy = nil
            guard sqlite3_backup_finish(copy) == SQLITE_OK else { throw error() }
            close()
            return false
        case let result:
            throw DatabaseError(resultCode: ResultCode(rawValue: result), message: String(cString: sqlite3_errstr(result)))
        }
    }

    /// Deletes what was written.
    func abandon() {
        close()
        unlink(path)
    }

    static func failure(_ path: String, _ said: String) -> StoreOpenError {
        StoreOpenError("the backup to \(path) failed (\(said)): check the free space there; nothing was left behind")
    }

    private func close() {
        sqlite3_backup_finish(copy)
        sqlite3_close_v2(target)
        (copy, target) = (nil, nil)
    }

    private func error() -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: sqlite3_errcode(target)), message: String(cString: sqlite3_errmsg(target)))
    }
}
