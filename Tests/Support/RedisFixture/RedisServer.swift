import BulkheadRedis
import Foundation
import Logging
import NIOPosix
import Synchronization

/// A redis-server of a test's own: on a Unix socket in a temporary folder, ended by its pid.
///
/// `@unchecked Sendable`: used by one test at a time.
package final class RedisServer: @unchecked Sendable {
    private let folder: String
    private var process = Process()
    private let options: [String]
    package var path: String { folder + "/redis.sock" }
    package var address: RedisAddress { RedisAddress(.unix(path: path)) }

    package init(_ options: String...) throws {
        folder = NSTemporaryDirectory() + "bhr-" + String(UInt32.random(in: .min ... .max), radix: 36)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        self.options = options
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    package func start() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/redis-server")
        process.arguments =
            ["--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--appendonly", "no", "--loglevel", "warning"]
            + options
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    package func freeze() { Glibc.kill(process.processIdentifier, SIGSTOP) }
    package func thaw() { Glibc.kill(process.processIdentifier, SIGCONT) }

    package func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// A client of a server, kept connected while `body` runs.
package func withClient<Value: Sendable>(
    _ address: RedisAddress, observer: RedisObserver = RedisObserver(),
    _ body: @escaping @Sendable (RedisClient) async throws -> Value
) async throws -> Value {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let limits = RedisLimits(connect: .milliseconds(500), backoff: .milliseconds(10) ... .milliseconds(100))
    let client = RedisClient(
        address, eventLoop: loop, limits: limits, password: { nil }, observer: observer,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    return try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask {
            await client.maintain()
            return nil
        }
        group.addTask { try await body(client) }
        defer { group.cancelAll() }
        while let value = try await group.next() {
            if let value { return value }
        }
        throw CancellationError()
    }
}

/// What a test waited for did not come to pass.
package struct NotInTime: Error {
    package let what: String
}

/// Waits for something another process does. - Throws: when it does not come to pass in ten seconds.
package func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(10)
    while try await !condition() {
        guard clock.now < end else { throw NotInTime(what: what) }
        try await clock.sleep(for: .milliseconds(5))
    }
}
