import BulkheadIPC
import NIOCore
import NIOPosix

/// The methods the two ends share.
enum Echo {
    static let immediate = MethodDescriptor(name: "Echo.Immediate", shape: .unary, requestHash: 1, responseHash: 1)
    static let task = MethodDescriptor(name: "Echo.Task", shape: .unary, requestHash: 2, responseHash: 2)
    /// Waits a turn of the loop before it answers.
    static let hop = MethodDescriptor(name: "Echo.Hop", shape: .unary, requestHash: 3, responseHash: 3)
    static let stream = MethodDescriptor(name: "Echo.Stream", shape: .bidirectional, requestHash: 4, responseHash: 4)
    /// Never answers; ends when cancelled.
    static let hang = MethodDescriptor(name: "Echo.Hang", shape: .unary, requestHash: 5, responseHash: 5)

    /// Answers with the server's `Tally`.
    static let tally = MethodDescriptor(name: "Echo.Tally", shape: .unary, requestHash: 6, responseHash: 6)

    static let schema = ServiceSchema(name: "Echo", fingerprint: "echo", methods: [immediate, task, hop, stream, hang, tally])

    static func methods(_ tally: Tally) -> [ServerMethod] {
        [
            ServerMethod(Self.tally, .immediate { _, _ in .success(ByteBuffer(string: tally.json)) }),
            ServerMethod(immediate, .immediate { message, _ in .success(message) }),
            ServerMethod(task, .unary { message, _ in message }),
            ServerMethod(
                hop,
                .unary { message, call in
                    tally.count(call)
                    try await call.eventLoop.sleep(.zero)
                    return message
                }),
            ServerMethod(
                stream,
                .stream { reader, _, writer in
                    while let message = try await reader.next() { try await writer.write(message) }
                }),
            ServerMethod(
                hang,
                .unary { message, call in
                    try await call.eventLoop.sleep(.seconds(3600))
                    return message
                }),
        ]
    }

    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }
}
