import BulkheadCore
import BulkheadIPC
import NIOCore

/// The calls of `drive`.
enum DriveCall {
    static func unary(_ order: DriveOrder, _ id: String, _ link: IPCLink) async -> DriveResult {
        var result = DriveResult(id: id)
        do {
            result.take(try await link.unary(try method(order), order.message, order.options(id)))
            result.end()
        } catch {
            result.end(error)
        }
        return result
    }

    static func stream(_ order: DriveOrder, _ id: String, _ link: IPCLink) async -> DriveResult {
        let result = DriveResult(id: id)
        let tape = Tape(result)
        do {
            let method = try method(order)
            if method.shape == .serverStream {
                try await link.serverStream(method, order.message, order.options(id)) { reader in
                    try await receive(reader, order, tape)
                }
            } else {
                try await link.stream(method, order.options(id)) { reader, writer in
                    for _ in 0 ..< order.send { try await writer.write(order.message) }
                    writer.finish()
                    try await receive(reader, order, tape)
                }
            }
            tape.result.end()
        } catch {
            tape.result.end(error)
        }
        return tape.result
    }

    /// What came, readable when the stream has failed. `@unchecked Sendable`: touched on the event loop only.
    private final class Tape: @unchecked Sendable {
        var result: DriveResult
        init(_ result: DriveResult) { self.result = result }
    }

    private static func receive(_ reader: MessageReader, _ order: DriveOrder, _ tape: Tape) async throws {
        while tape.result.received < order.take ?? .max, let message = try await reader.next() { tape.result.take(message) }
        if order.holdMS > 0 { try await Echo.loop.sleep(.milliseconds(order.holdMS)) }
    }

    private static func method(_ order: DriveOrder) throws(CallError) -> MethodDescriptor {
        let known = Echo.all.first { $0.name == order.method }
        let isStream = order.action == .stream
        guard let known, (known.shape != .unary) == isStream else {
            throw CallError(.invalidArgument, message: "there is no \(order.action) method \(order.method)")
        }
        return known
    }
}
