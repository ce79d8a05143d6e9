import NIOCore

// Between two feeds `pending` holds the beginning of a message: at most its 12 bytes of prelude as long as those are not
// complete, else at most the length the prelude announces.

/// Reads `application/vnd.amazon.eventstream` in whatever pieces it arrives. A message is: its length and that of its headers
/// (4 bytes each, big endian), the CRC-32 of those 8 bytes, headers, payload, and the CRC-32 of all before it.
/// Source: AWS General Reference, "Event stream encoding".
package struct EventStreamParser: Sendable {
    /// The longest message and its longest headers.
    package static let maxMessage = 16 << 20
    private static let maxHeaders = 128 << 10
    /// Prelude with checksum, and the checksum at the end.
    private static let overhead = 16

    private var pending = ByteBuffer()

    package init() {}

    /// Takes the next piece. - Parameter events: gets the events it completes, those before a fault too.
    package mutating func feed(_ piece: ByteBuffer, into events: inout [WireEvent]) throws(DecodeFault) {
        if pending.readableBytes == 0 { pending = piece } else { pending.writeImmutableBuffer(piece) }
        while let length = try messageLength(), pending.readableBytes >= length, var message = pending.readSlice(length: length) {
            events.append(try Self.event(&message))
        }
        if pending.readableBytes == 0 { pending = ByteBuffer() } else { pending.discardReadBytes() }
    }

    /// The length of the message that begins in `pending`; nil while its prelude is not complete.
    private func messageLength() throws(DecodeFault) -> Int? {
        guard let prelude = pending.getBytes(at: pending.readerIndex, length: 8),
            let length = pending.getInteger(at: pending.readerIndex, as: UInt32.self),
            let headers = pending.getInteger(at: pending.readerIndex + 4, as: UInt32.self),
            let checksum = pending.getInteger(at: pending.readerIndex + 8, as: UInt32.self)
        else { return nil }
        guard CRC32.of(prelude) == checksum else { throw .malformed("sent an event whose prelude has a wrong checksum") }
        guard length <= Self.maxMessage else { throw .malformed("sent an event of more than \(Self.maxMessage >> 20) MiB") }
        guard headers <= Self.maxHeaders, length >= Int(headers) + Self.overhead else {
            throw .malformed("sent an event whose lengths cannot be")
        }
        return Int(length)
    }

    /// - Parameter message: one whole message.
    private static func event(_ message: inout ByteBuffer) throws(DecodeFault) -> WireEvent {
        let body = message.readableBytesView.dropLast(4)
        guard let checksum = message.getInteger(at: message.writerIndex - 4, as: UInt32.self), CRC32.of(body) == checksum else {
            throw .malformed("sent an event with a wrong checksum")
        }
        let headersLength = message.getInteger(at: message.readerIndex + 4, as: UInt32.self) ?? 0
        message.moveReaderIndex(forwardBy: 12)
        message.moveWriterIndex(to: message.writerIndex - 4)
        guard var headers = message.readSlice(length: Int(headersLength)) else {
            throw .malformed("sent an event whose lengths cannot be")
        }
        let values = try EventStreamHeaders(&headers)
        let isException = values[":message-type"].map { $0 != "event" } ?? false
        let name = values[":event-type"] ?? values[":exception-type"] ?? values[":error-code"] ?? ""
        return WireEvent(name: name, data: message, isException: isException)
    }
}

/// The headers of one message; those that are text.
struct EventStreamHeaders {
    private var texts: [String: String] = [:]

    /// Reads all of `bytes`.
    init(_ bytes: inout ByteBuffer) throws(DecodeFault) {
        while bytes.readableBytes > 0 {
            guard let length = bytes.readInteger(as: UInt8.self), let name = bytes.readSlice(length: Int(length)),
                let type = bytes.readInteger(as: UInt8.self), let size = Self.size(type, &bytes),
                let value = bytes.readSlice(length: size)
            else { throw .malformed("sent an event with broken headers") }
            if type == 7 { texts[String(buffer: name)] = String(buffer: value) }
        }
    }

    subscript(_ name: String) -> String? { texts[name] }

    /// Bytes of a value of the type; nil for one that is not known.
    private static func size(_ type: UInt8, _ bytes: inout ByteBuffer) -> Int? {
        switch type {
        case 0, 1: 0
        case 2: 1
        case 3: 2
        case 4: 4
        case 5, 8: 8
        case 6, 7: bytes.readInteger(as: UInt16.self).map(Int.init)
        case 9: 16
        default: nil
        }
    }
}
