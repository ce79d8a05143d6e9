import BulkheadCore
import NIOCore

/// The payload of a STATUS frame that is not ok: retry-after in ms i64 (-1: unknown), then reason, origin and message, each
/// with a u16 length. The code stands in the frame's `aux`, not-processed in its flags.
enum StatusPayload {
    private static let wordBytes = 128
    private static let messageBytes = 4096

    static func encode(_ error: CallError) -> ByteBuffer {
        var buffer = ByteBuffer()
        let retry = error.retryAfter.map { max(0, $0.nanosecondsClamped / 1_000_000) } ?? -1
        buffer.writeInteger(retry, endianness: .little)
        append(error.reason, wordBytes, &buffer)
        append(error.origin ?? "", wordBytes, &buffer)
        append(error.message, messageBytes, &buffer)
        return buffer
    }

    private static func append(_ text: String, _ limit: Int, _ buffer: inout ByteBuffer) {
        var cut = text.utf8.prefix(limit)
        // Not in the middle of a character.
        while String(cut) == nil, !cut.isEmpty { cut = cut.dropLast() }
        buffer.writeInteger(UInt16(cut.count), endianness: .little)
        buffer.writeBytes(cut)
    }

    static func decode(_ header: FrameHeader, _ payload: ByteBuffer) throws(ProtocolViolation) -> CallError {
        var payload = payload
        guard let code = StatusCode(rawValue: header.aux), code != .ok,
            let retry: Int64 = payload.readInteger(endianness: .little), let reason = text(wordBytes, &payload),
            let origin = text(wordBytes, &payload), let message = text(messageBytes, &payload)
        else { throw ProtocolViolation(description: "malformed status with code \(header.aux)") }
        return CallError(
            code, reason: reason, message: message, retryAfter: retry < 0 ? nil : .milliseconds(retry),
            notProcessed: header.flags.contains(.notProcessed), origin: origin.isEmpty ? nil : origin)
    }

    private static func text(_ limit: Int, _ payload: inout ByteBuffer) -> String? {
        guard let count: UInt16 = payload.readInteger(endianness: .little), Int(count) <= limit,
            let bytes = payload.readSlice(length: Int(count))
        else { return nil }
        return String(validating: bytes.readableBytesView, as: UTF8.self)
    }
}
