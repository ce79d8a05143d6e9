import BulkheadCore
import BulkheadIPC
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// How client and server are connected: every case of the suite holds over all.
enum Transport: String, CaseIterable, Sendable {
    case memory
    case socket
    /// The caller was built with a schema one version older: every message of the server has a field it does not know.
    case olderCaller
    /// The server is the older one.
    case newerCaller
}

/// The methods under test, and what their handlers saw.
final class TestService: Sendable {
    static let empty = method("Test.Empty", .unary)
    static let echo = method("Test.Echo", .unary)
    /// Answers with as many bytes as the request's first four say.
    static let sized = method("Test.Sized", .unary)
    static let fail = method("Test.Fail", .unary)
    static let hang = method("Test.Hang", .unary)
    static let metadata = method("Test.Metadata", .unary)
    static let sum = method("Test.Sum", .clientStream)
    static let count = method("Test.Count", .serverStream)
    static let chat = method("Test.Chat", .bidirectional)
    /// Writes for ever.
    static let flood = method("Test.Flood", .serverStream)
    /// Takes nothing and ends when cancelled.
    static let idle = method("Test.Idle", .bidirectional)
    static let missing = method("Test.Missing", .unary)

    private static let all = [empty, echo, sized, fail, hang, metadata, sum, count, chat, flood, idle]
    private static let fields = [MessageForm.Field(1, "a", 9)]

    static let schema = ServiceSchema(
        name: "Test", fingerprint: "f", methods: all, forms: [MessageForm("Any", fields)],
        signatures: all.map { _ in MethodSignature(0, 0) })
    /// The same methods, a version later.
    static let newerSchema = ServiceSchema(
        name: "Test", fingerprint: "g", methods: all.map(later),
        forms: [MessageForm("Any", fields + [MessageForm.Field(2, "b", 3)])],
        signatures: all.map { _ in MethodSignature(0, 0) })

    /// The method with the hashes of the later version.
    static func later(_ method: MethodDescriptor) -> MethodDescriptor {
        MethodDescriptor(
            name: method.name, shape: method.shape, requestHash: method.requestHash + 10, responseHash: method.responseHash + 10)
    }

    let started = Atomic<Int>(0)
    let cancelled = Atomic<Int>(0)
    let flooded = Atomic<Int>(0)

    private static func method(_ name: String, _ shape: CallShape) -> MethodDescriptor {
        MethodDescriptor(name: name, shape: shape, requestHash: 1, responseHash: 2)
    }

    var methods: [ServerMethod] {
        [
            ServerMethod(Self.empty, .immediate { _, _ in .success(ByteBuffer()) }),
            ServerMethod(Self.echo, .unary { message, _ in message }),
            ServerMethod(
                Self.sized,
                .unary { message, _ in
                    ByteBuffer(repeating: 5, count: Int(message.getInteger(at: message.readerIndex, as: UInt32.self) ?? 0))
                }),
            ServerMethod(Self.fail, .unary { message, _ in throw Self.error(message) }),
            ServerMethod(Self.hang, .unary { message, call in try await self.sleeping(call) { message } }),
            ServerMethod(Self.metadata, .unary { _, call in ByteBuffer(string: Self.describe(call)) }),
            ServerMethod(Self.sum, .stream(Self.sumHandler)),
            ServerMethod(Self.count, .stream(Self.countHandler)),
            ServerMethod(
                Self.chat,
                .stream { reader, _, writer in
                    while let message = try await reader.next() { try await writer.write(message) }
                }),
            ServerMethod(
                Self.flood,
                .stream { _, _, writer in
                    while true {
                        try await writer.write(ByteBuffer(repeating: 1, count: 32 << 10))
                        self.flooded.add(1, ordering: .relaxed)
                    }
                }),
            ServerMethod(Self.idle, .stream { _, call, _ in try await self.sleeping(call) {} }),
        ]
    }

    private func sleeping<Value>(_ call: ServerCall, _ value: () -> Value) async throws -> Value {
        started.add(1, ordering: .relaxed)
        do {
            try await call.eventLoop.sleep(.seconds(60))
        } catch {
            cancelled.add(1, ordering: .relaxed)
            throw error
        }
        return value()
    }

    private static func error(_ message: ByteBuffer) -> any Error {
        let code = message.getInteger(at: message.readerIndex, as: UInt32.self) ?? 0
        guard let status = StatusCode(rawValue: code), status != .ok else { return NotACallError() }
        return CallError(status, reason: "asked_for", message: "Größe \(code) 🙂", retryAfter: .milliseconds(1500))
    }

    static func describe(_ call: ServerCall) -> String {
        let metadata = call.metadata
        return [metadata.requestID, metadata.tenant, metadata.user, metadata.trace?.traceparent ?? "-", call.peer].joined(
            separator: "|")
    }

    private static let sumHandler: @Sendable (MessageReader, ServerCall, MessageWriter) async throws -> Void = {
        reader, _, writer in
        var total = 0
        while let message = try await reader.next() { total += message.readableBytes }
        try await writer.write(ByteBuffer(integer: total))
    }

    private static let countHandler: @Sendable (MessageReader, ServerCall, MessageWriter) async throws -> Void = {
        reader, _, writer in
        var request = try await reader.next() ?? ByteBuffer()
        while let size: UInt32 = request.readInteger() { try await writer.write(ByteBuffer(repeating: 3, count: Int(size))) }
    }
}

struct NotACallError: Error {}

/// A link to a running server, and what is needed to end both.
struct Pair: Sendable {
    let link: IPCLink
    let service: TestService
    let server: IPCServer?
    var isNewer = false

    static func with<Value: Sendable>(_ transport: Transport, _ body: (Pair) async throws -> Value) async throws -> Value {
        let service = TestService()
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        let isNewer = transport == .newerCaller
        let mine = isNewer ? TestService.newerSchema : TestService.schema
        let theirs = transport == .olderCaller ? TestService.newerSchema : TestService.schema
        let configuration = LinkConfiguration(peer: "test", caller: "suite", socketPath: path, schemas: [mine])
        var methods = service.methods
        if transport == .olderCaller {
            methods = methods.map { ServerMethod(TestService.later($0.descriptor), $0.handler) }
        }
        let pair: Pair
        switch transport {
        case .memory:
            let link = try await InProcessTransport.connect(
                service: "test", methods: methods, schemas: [theirs], link: configuration, eventLoop: loop)
            pair = Pair(link: link, service: service, server: nil)
        case .socket, .olderCaller, .newerCaller:
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: path, allowedUIDs: [geteuid()], methods: methods, schemas: [theirs]),
                eventLoop: loop)
            let link = IPCLink(configuration: configuration, eventLoop: loop)
            pair = Pair(link: link, service: service, server: server, isNewer: isNewer)
        }
        // The tests share one loop; a link may connect while others move hundreds of megabytes.
        guard await eventually({ pair.link.snapshot().state == .ready }) else {
            throw CallError(.unavailable, message: "no connection: \(pair.link.snapshot())")
        }
        let value = try await body(pair)
        await pair.link.close()
        _ = await pair.server?.drain(grace: .seconds(1))
        return value
    }

    /// The method as the caller was built with it.
    func own(_ method: MethodDescriptor) -> MethodDescriptor { isNewer ? TestService.later(method) : method }

    func unary(_ method: MethodDescriptor, _ request: ByteBuffer = ByteBuffer(), within limit: Duration = .seconds(30))
        async throws -> ByteBuffer
    {
        try await link.unary(own(method), request, CallOptions(deadline: .now() + limit))
    }

    var options: CallOptions { CallOptions(deadline: .now() + .seconds(30)) }
}

/// A directory with a path short enough for sockets.
struct TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/bhXXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CallError(.internal, message: "no temporary directory: errno \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Waits for a condition that another task brings about; gives up after fifteen seconds.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let limit = MonotonicTime.now() + .seconds(15)
    while !condition() {
        guard MonotonicTime.now() < limit, (try? await loop.sleep(.milliseconds(2))) != nil else { return false }
    }
    return true
}

/// The `CallError` that `body` throws, or nil.
func callError(_ body: () async throws -> some Any) async -> CallError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? CallError
    }
}
