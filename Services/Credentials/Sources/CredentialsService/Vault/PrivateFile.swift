import Glibc

/// Files only their owner may read. All of it blocks.
enum PrivateFile {
    /// Why a file could not be used; the message names it: for log and CLI, not for HTTP answers.
    struct Failure: Error, CustomStringConvertible {
        var description: String
        /// For places where no path may be shown.
        var brief: String
        var isMissing = false
    }

    /// Reads a whole file whose group and others have no rights.
    /// - Parameter isMounted: true for a file that an orchestrator put there, which may be readable and a symbolic link.
    static func read(_ path: String, maxBytes: Int, isMounted: Bool = false) throws(Failure) -> [UInt8] {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | (isMounted ? 0 : O_NOFOLLOW))
        guard file >= 0 else { throw failure("cannot open", path, errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("cannot look at", path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(description: "\(path) is no regular file", brief: "no regular file")
        }
        guard isMounted || status.st_mode & 0o077 == 0 else {
            throw Failure(
                description:
                    "\(path) may be read by others (mode \(String(status.st_mode & 0o777, radix: 8))): run chmod 600 \(path)",
                brief: "it may be read by others: run chmod 600 on it")
        }
        guard status.st_size <= maxBytes else {
            throw Failure(
                description: "\(path) holds \(status.st_size) bytes, at most \(maxBytes) are allowed", brief: "it is too large")
        }
        return try contents(file, path, maxBytes)
    }

    private static func contents(_ file: Int32, _ path: String, _ maxBytes: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= maxBytes {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("cannot read", path, errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Failure(description: "\(path) grows while it is read", brief: "it grows while it is read")
    }

    /// Replaces a file as a whole: a crash leaves the old one or the new one.
    static func replace(_ path: String, with bytes: [UInt8]) throws(Failure) {
        let temporary = path + ".new"
        unlink(temporary)
        try create(temporary, bytes)
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw failure("cannot replace", path, code)
        }
        try syncFolder(of: path)
    }

    /// Writes a file that must not exist yet, mode 0600, and waits until it is on disk.
    static func create(_ path: String, _ bytes: [UInt8]) throws(Failure) {
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("cannot create", path, errno) }
        defer { close(file) }
        guard writeAll(file, bytes), fsync(file) == 0 else {
            let code = errno
            unlink(path)
            throw failure("cannot write", path, code)
        }
    }

    /// False with `errno` set when not all could be written.
    static func writeAll(_ file: Int32, _ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    private static func syncFolder(of path: String) throws(Failure) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let file = Glibc.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw failure("cannot open", folder, errno) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure("cannot sync", folder, errno) }
    }

    private static func failure(_ what: String, _ path: String, _ code: Int32) -> Failure {
        let reason = String(cString: strerror(code))
        return Failure(description: "\(what) \(path): \(reason)", brief: reason, isMissing: code == ENOENT)
    }
}
