import BulkheadJSON
import NIOCore

/// One message of `application/vnd.amazon.eventstream`: lengths, a checksum over them, headers, payload, a checksum over all.
enum EventStreamFrame {
    /// Appends an event whose payload is the JSON object that `members` writes.
    static func write(event name: String, into buffer: inout ByteBuffer, _ members: (inout JSONWriter) -> Void) {
        write(headers: [(":event-type", name), (":message-type", "event")], into: &buffer, members)
    }

    /// Appends an exception, which ends the stream.
    static func write(exception name: String, into buffer: inout ByteBuffer, _ members: (inout JSONWriter) -> Void) {
        write(headers: [(":exception-type", name), (":message-type", "exception")], into: &buffer, members)
    }

    private static func write(
        headers: [(name: String, value: String)], into buffer: inout ByteBuffer, _ members: (inout JSONWriter) -> Void
    ) {
        var head = ByteBuffer()
        for header in headers + [(":content-type", "application/json")] {
            head.writeInteger(UInt8(header.name.utf8.count))
            head.writeString(header.name)
            // Type 7: text.
            head.writeInteger(UInt8(7))
            head.writeInteger(UInt16(header.value.utf8.count))
            head.writeString(header.value)
        }
        var writer = JSONWriter()
        writer.object(members)
        var message = ByteBuffer()
        message.writeInteger(UInt32(head.readableBytes + writer.buffer.readableBytes + 16))
        message.writeInteger(UInt32(head.readableBytes))
        message.writeInteger(checksum(message.readableBytesView))
        message.writeImmutableBuffer(head)
        message.writeImmutableBuffer(writer.buffer)
        message.writeInteger(checksum(message.readableBytesView))
        buffer.writeImmutableBuffer(message)
    }

    private static let table: [UInt32] = (0 ..< 256).map { byte in
        (0 ..< 8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
    }

    /// CRC-32, reflected polynomial 0xedb88320.
    private static func checksum(_ bytes: ByteBufferView) -> UInt32 {
        ~bytes.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
}
