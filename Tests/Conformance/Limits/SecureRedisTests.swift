import BulkheadConfig
import BulkheadCore
import BulkheadRedis
import Foundation
import NIOCore
import NIOPosix
import RedisFixture
import SessionService
import Synchronization
import Testing

@Suite("Limits in a Redis behind TLS") struct SecureRedisTests {
    /// A certificate for `localhost` that signs itself.
    private func certificate(in folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder + "/key.pem", "-out",
            folder + "/cert.pem",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
    }

    private func freePort() async throws -> Int {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        defer { listener.close(promise: nil) }
        return try #require(listener.localAddress?.port)
    }

    @Test("a known authority is trusted, another is not")
    func trust() async throws {
        let folder = NSTemporaryDirectory() + "bht-" + String(UInt32.random(in: .min ... .max), radix: 36)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try certificate(in: folder)
        let port = try await freePort()
        let server = try RedisServer(
            "--tls-port", "\(port)", "--tls-cert-file", folder + "/cert.pem", "--tls-key-file", folder + "/key.pem",
            "--tls-ca-cert-file", folder + "/cert.pem", "--tls-auth-clients", "no")
        let trusted = try RedisAddress(.init(url: "rediss://localhost:\(port)/0?ca_file=\(folder)/cert.pem"))
        try await withClient(trusted) { client in
            try await eventually("redis is ready") { client.isReady }
            let suite = try SuiteUnderTest(client, durable: "one")
            let rule = LimitRule(.requests, .tenant("acme"), most: 1)
            #expect(try await !suite.ask([rule], "a").isLocal)
        }
        let stranger = try RedisAddress(.init(url: "rediss://localhost:\(port)/0"))
        let tries = Tries()
        try await withClient(stranger, observer: RedisObserver(state: { isReady, _ in tries.note(isReady) })) { client in
            try await eventually("a connection was refused") { tries.count > 0 }
            #expect(!client.isReady && !tries.wasReady)
        }
        server.kill()
    }
}

/// What a client told of itself.
private final class Tries: Sendable {
    private let told = Mutex<[Bool]>([])
    var count: Int { told.withLock { $0.count } }
    var wasReady: Bool { told.withLock { $0.contains(true) } }
    func note(_ isReady: Bool) { told.withLock { $0.append(isReady) } }
}
