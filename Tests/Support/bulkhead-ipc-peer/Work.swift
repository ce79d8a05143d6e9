import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import NIOPosix

/// Methods that take their time. The request's text is a number of milliseconds.
enum Work {
    static func methods(_ tally: Tally) -> [ServerMethod] {
        [
            ServerMethod(
                Echo.hang,
                .unary { message, call in
                    try await tally.during(call, Echo.hang) {
                        try await call.eventLoop.sleep(.seconds(3600))
                        return message
                    }
                }),
            ServerMethod(
                Echo.wait,
                .unary { message, call in
                    try await tally.during(call, Echo.wait) {
                        try await call.eventLoop.sleep(milliseconds(message))
                        return message
                    }
                }),
            ServerMethod(
                Echo.stubborn,
                .unary { message, call in
                    try await tally.during(call, Echo.stubborn) {
                        // A future of its own hears of no cancellation.
                        try await call.eventLoop.scheduleTask(in: TimeAmount(milliseconds(message))) {}.futureResult.get()
                        return message
                    }
                }),
            ServerMethod(
                Echo.block,
                .unary { message, call in
                    try await tally.during(call, Echo.block) {
                        usleep(UInt32(clamping: number(message) * 1000))
                        return message
                    }
                }),
        ]
    }

    /// - Parameter pool: the threads that are jammed, of which there are `threads`.
    static func jam(_ tally: Tally, _ pool: NIOThreadPool, threads: Int) -> ServerMethod {
        ServerMethod(
            Echo.jam,
            .unary { message, call in
                try await tally.during(call, Echo.jam) {
                    let microseconds = UInt32(clamping: number(message) * 1000)
                    for _ in 0 ..< threads { pool.submit { _ in usleep(microseconds) } }
                    return message
                }
            })
    }

    /// The first number of a request's text; 0 when it has none.
    static func number(_ message: ByteBuffer) -> Int { numbers(message).first ?? 0 }

    static func numbers(_ message: ByteBuffer) -> [Int] {
        String(buffer: message).split(separator: " ").compactMap { Int($0) }
    }

    private static func milliseconds(_ message: ByteBuffer) -> Duration { .milliseconds(number(message)) }
}
