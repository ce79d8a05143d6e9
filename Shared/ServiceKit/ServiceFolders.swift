import BulkheadCore
import CBulkheadSystem
import Glibc

/// The folders of one service and the lock that makes it the only instance.
package struct ServiceFolders: Sendable {
    /// `<run_dir>/<service>`.
    package let run: String
    /// `<state_dir>/<service>`.
    package let state: String

    /// The paths, without touching the disk.
    package init(service: ServiceName, runDir: String, stateDir: String) {
        run = "\(runDir)/\(service.rawValue)"
        state = "\(stateDir)/\(service.rawValue)"
    }

    /// Where peers connect.
    package var ipcSocket: String { run + "/ipc.sock" }
    /// Where the admin CLI connects.
    package var adminSocket: String { run + "/admin.sock" }

    /// Makes the folders if they are missing (run 0750, state 0700), checks their owner and mode, and takes the lock.
    /// - Throws: `StartupFailure` that names the folder and the command that mends it; exit code 75 when another instance
    ///   holds the lock.
    func prepare() throws {
        for folder in [Self.parent(of: run), Self.parent(of: state)] { try Self.makeAll(folder, mode: 0o755) }
        try Self.make(run, mode: 0o750)
        try Self.make(state, mode: 0o700)
        try Self.check(run, forbidden: 0o007, mend: "chmod o-rwx")
        try Self.check(state, forbidden: 0o077, mend: "chmod go-rwx")
        let lock = bh_lock_file(run + "/ipc.lock")
        if lock == -EWOULDBLOCK {
            throw StartupFailure("already running: another process holds \(run)/ipc.lock; stop it first", exitCode: 75)
        }
        if lock < 0 { throw StartupFailure("cannot lock \(run)/ipc.lock: \(Self.explain(-lock)); check who owns the folder") }
        // The descriptor stays open for as long as the process lives: it is the lock.
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func makeAll(_ path: String, mode: mode_t) throws {
        if path == "/" || path == "." || path.isEmpty || access(path, F_OK) == 0 { return }
        try makeAll(parent(of: path), mode: mode)
        try make(path, mode: mode)
    }

    private static func make(_ path: String, mode: mode_t) throws {
        guard mkdir(path, mode) != 0, errno != EEXIST else { return }
        throw StartupFailure("cannot create the folder \(path): \(explain(errno)); create it, owned by uid \(geteuid())")
    }

    private static func check(_ path: String, forbidden: mode_t, mend: String) throws {
        var info = stat()
        guard lstat(path, &info) == 0 else { throw StartupFailure("cannot look at \(path): \(explain(errno))") }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw StartupFailure("\(path) is not a folder (or a link to one); move it away")
        }
        guard info.st_uid == geteuid() else {
            throw StartupFailure(
                "\(path) belongs to uid \(info.st_uid), this process runs as uid \(geteuid()); run: chown -R \(geteuid()) \(path)"
            )
        }
        guard info.st_mode & forbidden == 0 else {
            let mode = String(info.st_mode & 0o777, radix: 8)
            throw StartupFailure("\(path) has mode 0\(mode), which lets others in; run: \(mend) \(path)")
        }
    }

    private static func explain(_ error: Int32) -> String { String(cString: strerror(error)) }
}
