import Glibc
import NIOCore

// Between two feeds the parser stands inside a line, whose beginning is in `partial` (empty at a line's start), inside an
// event, whose fields so far are `name` and `data` (nil before the first data line). `afterCarriageReturn` says that a line
// feed, if it comes next, belongs to the line end just seen. `atStart` lasts until the first line, which may have a byte
// order mark.

/// Reads a stream of server-sent events (WHATWG HTML, section 9.2) in whatever pieces it arrives. `retry:` lines are skipped,
/// reconnecting is not this type's business. Data that arrives in one piece is a slice of the piece, not a copy.
package struct SSEParser: Sendable {
    private let maxEventBytes: Int
    private var partial = ByteBuffer()
    private var name = ""
    private var data: ByteBuffer?
    private var id = ""
    private var afterCarriageReturn = false
    private var atStart = true

    /// - Parameter maxEventBytes: the most bytes of one event's data and of one line.
    package init(maxEventBytes: Int = 16 << 20) { self.maxEventBytes = maxEventBytes }

    /// True if the stream, should it end now, would end inside an event: the sender was cut off.
    package var isInsideEvent: Bool { partial.readableBytes > 0 || data != nil || !name.isEmpty }

    /// Takes the next piece.
    /// - Returns: the events that it completes.
    /// - Throws: if an event exceeds the limit; the parser must not be used any further.
    package mutating func feed(_ piece: ByteBuffer) throws(SSEError) -> [SSEEvent] {
        var events: [SSEEvent] = []
        let start = piece.readerIndex
        let length = piece.readableBytes
        var position = 0
        try piece.withUnsafeReadableBytes { (bytes) throws(SSEError) in
            var ends = LineEnds(bytes)
            if afterCarriageReturn, length > 0 {
                afterCarriageReturn = false
                if bytes[0] == 0x0a { position = 1 }
            }
            while let end = ends.next(from: position) {
                let line = Line(
                    piece: piece, start: start + position, bytes: UnsafeRawBufferPointer(rebasing: bytes[position ..< end]))
                position = end + 1
                afterCarriageReturn = bytes[end] == 0x0d
                if afterCarriageReturn, position < length {
                    afterCarriageReturn = false
                    if bytes[position] == 0x0a { position += 1 }
                }
                if let event = try take(line) { events.append(event) }
            }
        }
        guard position < length else { return events }
        try check(partial.readableBytes + length - position)
        if let rest = piece.getSlice(at: start + position, length: length - position) { partial.writeImmutableBuffer(rest) }
        return events
    }

    /// A line in the piece it came in.
    private struct Line {
        let piece: ByteBuffer
        /// Where `bytes` begin in `piece`.
        let start: Int
        let bytes: UnsafeRawBufferPointer

        func slice(from first: Int) -> ByteBuffer {
            piece.getSlice(at: start + first, length: bytes.count - first) ?? ByteBuffer()
        }
    }

    /// The line that ends in this piece.
    private mutating func take(_ line: Line) throws(SSEError) -> SSEEvent? {
        try check(partial.readableBytes + line.bytes.count)
        if partial.readableBytes == 0, !atStart { return try take(whole: line) }
        var joined = partial
        partial = ByteBuffer()
        joined.writeImmutableBuffer(line.slice(from: 0))
        if atStart {
            atStart = false
            if joined.readableBytesView.starts(with: [0xef, 0xbb, 0xbf]) { joined.moveReaderIndex(forwardBy: 3) }
        }
        return try joined.withUnsafeReadableBytes { (bytes) throws(SSEError) in
            try take(whole: Line(piece: joined, start: joined.readerIndex, bytes: bytes))
        }
    }

    private mutating func take(whole line: Line) throws(SSEError) -> SSEEvent? {
        let bytes = line.bytes
        if bytes.isEmpty { return dispatch() }
        switch bytes[0] {
        case UInt8(ascii: "d"): if let start = Self.value("data", bytes) { try append(line.slice(from: start)) }
        case UInt8(ascii: "e"): if let start = Self.value("event", bytes) { name = Self.text(bytes, start) }
        case UInt8(ascii: "i"):
            if let start = Self.value("id", bytes), !bytes[start...].contains(0) { id = Self.text(bytes, start) }
        default: break
        }
        return nil
    }

    /// Where the value of `field` begins; nil for a line of another field.
    private static func value(_ field: StaticString, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = field.utf8CodeUnitCount
        guard bytes.count >= count, let start = bytes.baseAddress, memcmp(start, field.utf8Start, count) == 0 else { return nil }
        if bytes.count == count { return count }
        guard bytes[count] == UInt8(ascii: ":") else { return nil }
        return bytes.count > count + 1 && bytes[count + 1] == UInt8(ascii: " ") ? count + 2 : count + 1
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> String {
        String(decoding: bytes[start...], as: UTF8.self)
    }

    private mutating func append(_ value: ByteBuffer) throws(SSEError) {
        guard var joined = data else {
            try check(value.readableBytes)
            return data = value
        }
        try check(joined.readableBytes + value.readableBytes + 1)
        data = nil
        joined.writeInteger(UInt8(ascii: "\n"))
        joined.writeImmutableBuffer(value)
        data = joined
    }

    private mutating func dispatch() -> SSEEvent? {
        let event = data.map { SSEEvent(name: name, data: $0, id: id) }
        name = ""
        data = nil
        return event
    }

    private func check(_ bytes: Int) throws(SSEError) {
        if bytes > maxEventBytes { throw .eventTooLarge(limit: maxEventBytes) }
    }
}

/// Finds the line ends of a piece, each byte looked at twice at most.
private struct LineEnds {
    private let bytes: UnsafeRawBufferPointer
    /// The next line feed; the length when there is none.
    private var lineFeed = -1

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The first line feed or carriage return from `start` on.
    mutating func next(from start: Int) -> Int? {
        if lineFeed < start { lineFeed = first(0x0a, start, bytes.count) ?? bytes.count }
        return first(0x0d, start, lineFeed) ?? (lineFeed < bytes.count ? lineFeed : nil)
    }

    private func first(_ byte: Int32, _ start: Int, _ end: Int) -> Int? {
        guard start < end, let base = bytes.baseAddress, let found = memchr(base + start, byte, end - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
