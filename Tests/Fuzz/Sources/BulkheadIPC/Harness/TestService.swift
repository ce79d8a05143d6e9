import BulkheadCore
import NIOCore

/// The service the connections are about: methods of every shape, also ones that wait, fail and send much.
enum TestService {
    static let echo = MethodDescriptor(name: "Test.Echo", shape: .unary, requestHash: 1, responseHash: 2)
    static let chat = MethodDescriptor(name: "Test.Chat", shape: .bidirectional, requestHash: 1, responseHash: 2)
    static let list = MethodDescriptor(name: "Test.List", shape: .serverStream, requestHash: 1, responseHash: 2)

    /// Handlers that have begun and not ended.
    nonisolated(unsafe) static var running = 0

    private static func method(_ name: String, _ shape: CallShape, _ handler: ServerHandler) -> ServerMethod {
        ServerMethod(MethodDescriptor(name: name, shape: shape, requestHash: 1, responseHash: 2), handler)
    }

    private static func counted<Value>(_ body: () async throws -> Value) async throws -> Value {
        running += 1
        defer { running -= 1 }
        return try await body()
    }

    static let methods: [ServerMethod] = [
        ServerMethod(echo, .immediate { message, _ in .success(message) }),
        ServerMethod(
            chat,
            .stream { reader, _, writer in
                try await counted { while let message = try await reader.next() { try await writer.write(message) } }
            }),
        method(
            "Test.Late", .unary,
            .unary { message, call in
                try await counted {
                    try await call.eventLoop.sleep(.milliseconds(10))
                    return message
                }
            }),
        ServerMethod(
            list,
            .stream { reader, _, writer in
                try await counted {
                    _ = try await reader.next()
                    for _ in 0 ..< 12 { try await writer.write(ByteBuffer(repeating: 0x62, count: 70_000)) }
                }
            }),
        method(
            "Test.Never", .unary,
            .unary { message, call in
                try await counted {
                    try await call.eventLoop.sleep(.seconds(3600))
                    return message
                }
            }),
        method(
            "Test.Gather", .clientStream,
            .stream { reader, _, writer in
                try await counted {
                    var bytes = 0
                    while let message = try await reader.next() { bytes += message.readableBytes }
                    try await writer.write(ByteBuffer(string: "\(bytes)"))
                }
            }),
        method("Test.Fail", .unary, .unary { _, _ in throw CallError(.notFound, reason: "none", message: "there is none") }),
    ]

    /// A message that contains itself: what a peer says of its own is compared with it.
    static let schema = ServiceSchema(
        name: "Test", fingerprint: String(repeating: "1", count: 32), methods: [echo, chat, list],
        forms: [
            MessageForm(
                "test.Node",
                [
                    .init(1, "name", 9), .init(2, "children", 11, isRepeated: true, message: 0), .init(3, "leaf", 11, message: 1),
                ]),
            MessageForm("test.Leaf", [.init(1, "value", 5), .init(2, "node", 11, message: 0)]),
        ], signatures: [MethodSignature(0, 1), MethodSignature(1, 0), MethodSignature(0, 0)])

    /// So small that scripts reach it.
    static func budget() -> MemoryBudget { MemoryBudget(bytes: 512 << 10) }

    static func configuration(_ memory: MemoryBudget) -> ServerConfiguration {
        ServerConfiguration(
            service: "test", socketPath: "", allowedUIDs: [], methods: methods, schemas: [schema], maxMessageBytes: 1 << 20,
            memory: memory)
    }

    static func link(_ memory: MemoryBudget) -> LinkConfiguration {
        LinkConfiguration(peer: "test", caller: "fuzz", socketPath: "", schemas: [schema], memory: memory)
    }

    static func core(_ stage: Stage, _ memory: MemoryBudget) -> ServerCore {
        do {
            return try ServerCore(configuration(memory), eventLoop: stage.loop)
        } catch {
            found("the server does not start: \(error)")
        }
    }
}

/// How calls of a link ended. `@unchecked Sendable`: one thread.
final class CallTally: @unchecked Sendable {
    private(set) var started = 0
    private(set) var ended = 0
    private(set) var succeeded = 0

    /// Makes a call; its end is counted.
    @discardableResult
    func call(_ body: @escaping @Sendable () async throws -> Void) -> Task<Void, Never> {
        started += 1
        return Task(name: "call") {
            let isGood = (try? await body()) != nil
            self.ended += 1
            if isGood { self.succeeded += 1 }
        }
    }
}
