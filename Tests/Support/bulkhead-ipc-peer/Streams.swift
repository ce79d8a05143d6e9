import BulkheadCore
import BulkheadIPC
import NIOCore

/// Methods with many messages.
enum Streams {
    /// The longest message a flood is made of.
    private static let longest = 1 << 20

    static func methods(_ tally: Tally) -> [ServerMethod] {
        [
            ServerMethod(
                Echo.stream,
                .stream { reader, call, writer in
                    try await tally.during(call, Echo.stream) {
                        while let message = try await reader.next() { try await writer.write(message) }
                    }
                }),
            ServerMethod(
                Echo.flood,
                .stream { reader, call, writer in
                    let size = min(longest, Work.number(try await reader.next() ?? ByteBuffer()))
                    let message = ByteBuffer(repeating: 7, count: size)
                    try await tally.during(call, Echo.flood) {
                        while true {
                            try await writer.write(message)
                            tally.wrote()
                        }
                    }
                }),
            ServerMethod(
                Echo.count,
                .stream { reader, call, writer in
                    let asked = Work.numbers(try await reader.next() ?? ByteBuffer())
                    guard asked.count == 2, asked[0] > 0 else {
                        throw CallError(.invalidArgument, message: "say \"N milliseconds\"")
                    }
                    try await tally.during(call, Echo.count) {
                        for number in 1 ... asked[0] {
                            try await call.eventLoop.sleep(.milliseconds(asked[1]))
                            try await writer.write(ByteBuffer(string: "\(number)"))
                        }
                    }
                }),
            ServerMethod(
                Echo.idle,
                .stream { _, call, _ in
                    try await tally.during(call, Echo.idle) { try await call.eventLoop.sleep(.seconds(3600)) }
                }),
        ]
    }
}
