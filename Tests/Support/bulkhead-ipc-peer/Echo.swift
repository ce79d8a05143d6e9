import BulkheadAPI
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

    /// Answers after as many milliseconds as the request says; ends when cancelled.
    static let wait = MethodDescriptor(name: "Echo.Wait", shape: .unary, requestHash: 7, responseHash: 7)
    /// The same, but does not listen when it is cancelled.
    static let stubborn = MethodDescriptor(name: "Echo.Stubborn", shape: .unary, requestHash: 8, responseHash: 8)
    /// Holds the event loop for as many milliseconds as the request says.
    static let block = MethodDescriptor(name: "Echo.Block", shape: .unary, requestHash: 9, responseHash: 9)
    /// Sends messages of as many bytes as the request says, for ever.
    static let flood = MethodDescriptor(name: "Echo.Flood", shape: .serverStream, requestHash: 10, responseHash: 10)
    /// Sends the numbers 1 to N, a pause before each: the request is "N milliseconds".
    static let count = MethodDescriptor(name: "Echo.Count", shape: .serverStream, requestHash: 11, responseHash: 11)
    /// Takes no message; ends when cancelled.
    static let idle = MethodDescriptor(name: "Echo.Idle", shape: .bidirectional, requestHash: 12, responseHash: 12)

    /// Holds every blocking thread for as many milliseconds as the request says; answers at once.
    static let jam = MethodDescriptor(name: "Echo.Jam", shape: .unary, requestHash: 13, responseHash: 13)

    static let all = [immediate, task, hop, stream, hang, tally, wait, stubborn, block, flood, count, idle, jam]

    static func methods(_ tally: Tally) -> [ServerMethod] {
        let short = [
            ServerMethod(Self.tally, .immediate { _, _ in .success(ByteBuffer(string: tally.json)) }),
            ServerMethod(immediate, .immediate { message, _ in .success(message) }),
            ServerMethod(task, .unary { message, _ in message }),
            ServerMethod(
                hop,
                .unary { message, call in
                    try await tally.during(call, hop) {
                        try await call.eventLoop.sleep(.zero)
                        return message
                    }
                }),
        ]
        return short + Work.methods(tally) + Streams.methods(tally)
    }

    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }
}

/// A generated service, so that there are message bodies that can be wrong.
struct TallyMetrics: PeerHandler {
    let tally: Tally

    func metrics(_ request: ControlAPI.MetricsRequest, _ call: ServerCall) async throws -> ControlAPI.MetricsReply {
        ControlAPI.MetricsReply(text: tally.json)
    }
}
