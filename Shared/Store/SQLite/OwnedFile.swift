import Glibc

/// The place of a store's file: private to the service's user, and held by one process. The lock stands on a file beside it
/// (`….lock`) and is the process's (`fcntl(2)`): it goes with the process, however that ends.
final class OwnedFile: Sendable {
    let path: String
    private let lock: Int32

    /// Makes the file when it is absent.
    /// - Throws: `StoreOpenError`, also when another process holds it.
    init(_ path: String) throws(StoreOpenError) {
        self.path = path
        lock = try Self.take("\(path).lock")
        do {
            Glibc.close(try Self.open(path))
        } catch {
            Glibc.close(lock)
            throw error
        }
    }

    deinit { Glibc.close(lock) }

    /// SQLite gives its log files the mode of the file.
    private static func open(_ path: String) throws(StoreOpenError) -> Int32 {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw StoreOpenError("\(path) cannot be opened (\(String(cString: strerror(errno)))): check its owner and mode")
        }
        guard fchmod(file, 0o600) == 0 else {
            Glibc.close(file)
            throw StoreOpenError("the mode of \(path) cannot be set to 0600: it must belong to the service's user")
        }
        return file
    }

    private static func take(_ path: String) throws(StoreOpenError) -> Int32 {
        let file = try open(path)
        var wanted = flock()
        wanted.l_type = Int16(F_WRLCK)
        wanted.l_whence = Int16(SEEK_SET)
        guard fcntl(file, F_SETLK, &wanted) != 0 else { return file }
        let error = errno
        Glibc.close(file)
        guard error == EACCES || error == EAGAIN else {
            throw StoreOpenError("\(path) cannot be locked (\(String(cString: strerror(error)))): it must be on a local disk")
        }
        throw StoreOpenError(
            "another process holds \(path): a store in a file serves one suite; end that process, give this suite a "
                + "suite.state_dir of its own, or let both share PostgreSQL (suite.stores.durable: postgres)")
    }
}
