import Glibc

/// The rules of socket files.
enum SocketPath {
    /// `sun_path` without its terminating zero.
    static let maxBytes = 107

    static func problem(_ path: String) -> String? {
        if path.isEmpty { return "the socket path is empty" }
        guard path.utf8.count > maxBytes else { return nil }
        return "the socket path has \(path.utf8.count) bytes, at most \(maxBytes) are possible; choose a shorter run_dir"
    }

    static func directory(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// A listening socket at `path` with exactly `mode`. A stale socket file is replaced.
    /// - Throws: `IPCServerError`.
    static func listen(_ path: String, mode: UInt32) throws -> Int32 {
        if let problem = problem(path) { throw IPCServerError(problem) }
        try checkDirectory(directory(path))
        try clear(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure("cannot make a socket") }
        do {
            // The file gets the descriptor's mode when it is bound, cut by the umask: never wider than asked, not for a moment.
            guard fchmod(descriptor, mode) == 0 else { throw failure("cannot set the mode of a socket") }
            try bind(descriptor, path)
            guard chmod(path, mode) == 0 else { throw failure("cannot set the mode of \(path)") }
            guard Glibc.listen(descriptor, 4096) == 0 else { throw failure("cannot listen on \(path)") }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// What tells a file from another one that later has the same path.
    struct FileIdentity: Equatable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    /// Removes the socket file if it is still the one that was bound.
    static func remove(_ path: String, _ identity: FileIdentity?) {
        guard let identity, Self.identity(path) == identity else { return }
        unlink(path)
    }

    static func identity(_ path: String) -> FileIdentity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    private static func checkDirectory(_ directory: String) throws {
        var status = stat()
        guard stat(directory, &status) == 0 else { throw failure("cannot use the socket directory \(directory)") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw IPCServerError("\(directory) is not a directory") }
        guard status.st_uid == geteuid() else {
            throw IPCServerError(
                "the socket directory \(directory) belongs to uid \(status.st_uid); chown it to uid \(geteuid())")
        }
        guard status.st_mode & S_IWOTH == 0 else {
            throw IPCServerError("anyone may write to the socket directory \(directory); run chmod o-w on it")
        }
    }

    private static func clear(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw failure("cannot look at \(path)") }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw IPCServerError("\(path) exists and is not a socket; move it away, it is not replaced")
        }
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("cannot remove the stale socket \(path)") }
    }

    private static func bind(_ descriptor: Int32, _ path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw failure("cannot bind the socket \(path)") }
    }

    private static func failure(_ what: String) -> IPCServerError {
        IPCServerError("\(what): \(String(cString: strerror(errno)))")
    }
}
