import Foundation
import Glibc
import Synchronization
import Testing

/// A folder for a server that must not run as root, and how it is started as somebody else then.
enum ServerFolder {
    private static let isRoot = getuid() == 0
    private static let account = "postgres"
    private static let made = Mutex<[String]>([])

    /// A new folder with a short path: a Unix socket's has 107 bytes at most.
    static func make(_ prefix: String) throws -> String {
        let path = "/tmp/\(prefix)-" + String(UInt32.random(in: .min ... .max), radix: 36)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        if isRoot {
            let entry = try #require(getpwnam(account), "there is no user \(account): install PostgreSQL")
            try #require(chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0)
        }
        let isFirst = made.withLock { made in
            made.append(path)
            return made.count == 1
        }
        if isFirst { atexit { ServerFolder.removeAll() } }
        return path
    }

    static func remove(_ path: String) {
        // A folder that stays behind is no reason to fail.
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func removeAll() { for path in made.withLock({ $0 }) { remove(path) } }

    /// The words that run a command as the account that may.
    static func asServer(_ words: [String]) -> [String] {
        isRoot ? ["/usr/bin/setpriv", "--reuid=\(account)", "--regid=\(account)", "--clear-groups"] + words : words
    }

    /// Runs a command to its end.
    static func run(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words.joined(separator: " ")) failed")
    }

    /// A port nobody has at this moment.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        try #require(bound, "no free port")
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

/// A process that does not outlive this one.
///
/// `@unchecked Sendable`: started in `init`, and Foundation's process is only asked and ended after.
final class WatchedProcess: @unchecked Sendable {
    private let process = Process()
    private let life = Pipe()
    let pid: pid_t

    /// The shell waits for the end of its input: when this process is gone, however it went, so is the other.
    private static let watcher = #"log=$1; shift; "$@" >>"$log" 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null"#

    init(_ words: [String], log: String) throws {
        let said = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", Self.watcher, "watcher", log] + words
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = life
        process.standardOutput = said
        try process.run()
        let line = String(decoding: said.fileHandleForReading.availableData, as: UTF8.self)
        pid = try #require(pid_t(line.trimmingCharacters(in: .whitespacesAndNewlines)), "nothing was started")
    }

    /// Whether it has not ended; a process that ended stays in the table until its watcher ends.
    var isRunning: Bool {
        let state = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return state.split(separator: ")").last.map { !$0.hasPrefix(" Z") && !$0.isEmpty } ?? false
    }

    /// SIGKILL, and waits for its end.
    func kill() {
        // A stopped process is killed as well.
        Glibc.kill(pid, SIGKILL)
        try? life.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
