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
        var piece = piece
        var events: [SSEEvent] = []
        skipLineFeed(&piece)
        while let end = piece.readableBytesView.firstIndex(where: { $0 == 0x0a || $0 == 0x0d }) {
            let length = end - piece.readerIndex
            guard let head = piece.readSlice(length: length) else { break }
            afterCarriageReturn = piece.readInteger(as: UInt8.self) == 0x0d
            skipLineFeed(&piece)
            if let event = try take(line: try completed(head)) { events.append(event) }
        }
        try check(partial.readableBytes + piece.readableBytes)
        partial.writeImmutableBuffer(piece)
        return events
    }

    private mutating func skipLineFeed(_ piece: inout ByteBuffer) {
        guard afterCarriageReturn, piece.readableBytes > 0 else { return }
        afterCarriageReturn = false
        if piece.getInteger(at: piece.readerIndex, as: UInt8.self) == 0x0a { piece.moveReaderIndex(forwardBy: 1) }
    }

    private mutating func completed(_ tail: ByteBuffer) throws(SSEError) -> ByteBuffer {
        var line = tail
        if partial.readableBytes > 0 {
            try check(partial.readableBytes + tail.readableBytes)
            partial.writeImmutableBuffer(tail)
            line = partial
            partial = ByteBuffer()
        }
        if atStart {
            atStart = false
            if line.readableBytesView.starts(with: [0xef, 0xbb, 0xbf]) { line.moveReaderIndex(forwardBy: 3) }
        }
        return line
    }

    private mutating func take(line: ByteBuffer) throws(SSEError) -> SSEEvent? {
        guard line.readableBytes > 0 else { return dispatch() }
        var value = line
        let colon = line.readableBytesView.firstIndex(of: UInt8(ascii: ":"))
        let field = value.readSlice(length: (colon ?? line.writerIndex) - line.readerIndex) ?? ByteBuffer()
        if colon != nil { value.moveReaderIndex(forwardBy: 1) }
        if value.getInteger(at: value.readerIndex, as: UInt8.self) == UInt8(ascii: " ") { value.moveReaderIndex(forwardBy: 1) }
        switch field.readableBytes {
        case 4 where field.readableBytesView.elementsEqual("data".utf8): try append(value)
        case 5 where field.readableBytesView.elementsEqual("event".utf8): name = String(buffer: value)
        case 2 where field.readableBytesView.elementsEqual("id".utf8) && !value.readableBytesView.contains(0):
            id = String(buffer: value)
        default: break
        }
        return nil
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
        defer {
            name = ""
            data = nil
        }
        return data.map { SSEEvent(name: name, data: $0, id: id) }
    }

    private func check(_ bytes: Int) throws(SSEError) {
        if bytes > maxEventBytes { throw .eventTooLarge(limit: maxEventBytes) }
    }
}
