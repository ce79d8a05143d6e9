import BulkheadCore
import BulkheadPostgres
import Foundation
import Synchronization
import Testing

/// A PostgreSQL server of the tests' own: data and Unix socket in a temporary folder, a free port, fsync as a server has it. It
/// ends with this process, however that ends: its watcher reads a pipe that closes then.
///
/// `@unchecked Sendable`: what changes is under `process`; a test that stops or freezes a server has one of its own.
final class PostgresServer: @unchecked Sendable {
    let folder: String
    let port: Int
    private let options: [String]
    private let process = Mutex<WatchedProcess?>(nil)
    private static let user = "bulkhead"

    /// One for all tests that do it no harm: a database each.
    static let shared: Result<PostgresServer, any Error> = Result { try PostgresServer() }

    init(_ options: String...) throws {
        folder = try ServerFolder.make("bhpg")
        port = try ServerFolder.freePort()
        self.options = options
        try ServerFolder.run(["/bin/cp", "-a", Self.template.get(), folder + "/data"])
        try start()
    }

    deinit {
        kill()
        ServerFolder.remove(folder)
    }

    /// The URL of a database.
    func url(_ database: String = "postgres") -> String {
        "postgresql://\(Self.user)@/\(database)?host=\(folder)&port=\(port)"
    }

    /// The same over TCP.
    func tcpURL(_ database: String = "postgres") -> String { "postgresql://\(Self.user)@127.0.0.1:\(port)/\(database)" }

    /// Makes an empty database and gives its name.
    func makeDatabase() throws -> String {
        let name = "db_" + String(UInt64.random(in: .min ... .max), radix: 36)
        try script("CREATE DATABASE \(name)")
        return name
    }

    /// Runs statements as an administrator.
    func script(_ sql: String, database: String = "postgres") throws {
        let connection = try PostgresConnection.open(PostgresTarget(url: url(database), applicationName: "test"))
        try connection.script(sql, deadline: .now() + .seconds(20))
    }

    /// The first column of the first row.
    func ask(_ sql: String, database: String = "postgres") throws -> PostgresValue? {
        let connection = try PostgresConnection.open(PostgresTarget(url: url(database), applicationName: "test"))
        let answer = try connection.exchange([PostgresCommand(sql)], deadline: .now() + .seconds(20))
        guard answer.rowCount > 0 else { return nil }
        return try answer.row(0).first
    }
}

// MARK: its life

extension PostgresServer {
    /// Starts it, and waits until it answers.
    func start() throws {
        let program = try Self.programs.get() + "/postgres"
        var words = [program, "-D", folder + "/data", "-k", folder, "-p", "\(port)", "-h", "127.0.0.1"]
        for option in ["max_connections=200", "shared_buffers=64MB"] + options { words += ["-c", option] }
        let end = ContinuousClock().now + .seconds(20)
        while true {
            // After a kill its children live on for a moment, and the new server refuses to start beside them.
            if process.withLock({ $0?.isRunning != true }) {
                let started = try WatchedProcess(ServerFolder.asServer(words), log: folder + "/log")
                process.withLock { $0 = started }
            }
            do {
                _ = try ask("SELECT 1")
                return
            } catch {
                try #require(ContinuousClock().now < end, "PostgreSQL did not start: \(error); see \(folder)/log")
            }
            usleep(20_000)
        }
    }

    /// SIGKILL: nothing is written any more, connections break.
    func kill() {
        // Stopped, it starts no more children; those that lived on would work in a folder that is gone.
        if let parent = process.withLock({ $0?.pid }) { Glibc.kill(parent, SIGSTOP) }
        for pid in pids.reversed() { Glibc.kill(pid, SIGKILL) }
        process.withLock { process in
            process?.kill()
            process = nil
        }
    }

    /// SIGSTOP to the server and everything it started.
    func freeze() {
        if let parent = process.withLock({ $0?.pid }) { Glibc.kill(parent, SIGSTOP) }
        for pid in pids { Glibc.kill(pid, SIGSTOP) }
    }

    /// SIGCONT to all of it.
    func thaw() { for pid in pids { Glibc.kill(pid, SIGCONT) } }

    /// Its own, and those of its children.
    var pids: [pid_t] {
        guard let parent = process.withLock({ $0?.pid }) else { return [] }
        let path = "/proc/\(parent)/task/\(parent)/children"
        let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return [parent] + children.split(separator: " ").compactMap { pid_t($0) }
    }
}

// MARK: what it is made from

extension PostgresServer {
    /// Where the server's programs are.
    static let programs: Result<String, any Error> = Result {
        let root = "/usr/lib/postgresql"
        let versions = try FileManager.default.contentsOfDirectory(atPath: root).compactMap { Int($0) }
        let newest = try #require(versions.max(), "PostgreSQL is not installed: run `make deps`")
        return "\(root)/\(newest)/bin"
    }

    /// A data folder to copy: making one takes a second.
    private static let template: Result<String, any Error> = Result {
        let folder = try ServerFolder.make("bhpt")
        let words = ["-D", folder + "/data", "-U", user, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        try ServerFolder.run(ServerFolder.asServer([try programs.get() + "/initdb"] + words))
        return folder + "/data"
    }
}
