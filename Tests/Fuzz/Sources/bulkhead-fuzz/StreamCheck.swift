import BulkheadHTTP
import NIOCore

/// An event stream gives the same events wherever it is cut, none beyond the limit, and written again it is the same.
///
/// Input: a byte for the limit, piece lengths, then the stream.
enum StreamCheck {
    private struct Outcome {
        var events: [SSEEvent] = []
        var isRefused = false
        var isInsideEvent = false
    }

    private static let limits = [1 << 20, 1, 2, 8, 32, 100]

    static func check(_ input: some Sequence<UInt8>) throws {
        var input = InputBytes(input)
        let limit = input.choice(of: limits)
        let lengths = input.pieceLengths()
        let stream = input.takeRest()
        let atOnce = parse([stream], limit)
        let inPieces = parse(InputBytes.cut(stream, lengths), limit)
        try promise(
            isSame(atOnce, inPieces), "pieces of \(lengths) give \(inPieces), all at once \(atOnce), with a limit of \(limit)")
        try check(inPieces.events, stream.count, limit)
        try checkAgain(atOnce.events)
    }

    private static func parse(_ pieces: [[UInt8]], _ limit: Int) -> Outcome {
        var (parser, outcome) = (SSEParser(maxEventBytes: limit), Outcome())
        do {
            for piece in pieces { outcome.events += try parser.feed(ByteBuffer(bytes: piece)) }
            outcome.isInsideEvent = parser.isInsideEvent
        } catch {
            outcome.isRefused = true
        }
        return outcome
    }

    private static func isSame(_ one: Outcome, _ other: Outcome) -> Bool {
        // What came before too large an event in its piece is not told.
        if one.isRefused { return other.isRefused }
        return !other.isRefused && one.events == other.events && one.isInsideEvent == other.isInsideEvent
    }

    private static func check(_ events: [SSEEvent], _ count: Int, _ limit: Int) throws {
        for event in events {
            let longest = max(event.data.readableBytes, event.name.unicodeScalars.count, event.id.unicodeScalars.count)
            try promise(longest <= limit, "beyond \(limit) bytes: \(event)")
            try promise(!event.name.utf8.contains { $0 == 0x0a || $0 == 0x0d }, "a name of more than a line: \(event)")
        }
        try promise(events.reduce(0) { $0 + $1.data.readableBytes + 6 } <= count + 1, "\(events) of \(count) bytes")
    }

    /// Ids are not ours to write; data that is no text cannot be given to the writer.
    private static func checkAgain(_ events: [SSEEvent]) throws {
        let texts = events.compactMap { event in
            String(validating: event.data.readableBytesView, as: UTF8.self).map { (name: event.name, data: $0) }
        }
        var written = ByteBuffer()
        for text in texts { SSEWriter.write(name: text.name, data: text.data, into: &written) }
        let again = parse([Array(written.readableBytesView)], 1 << 24).events
        let isSame = again.elementsEqual(texts) { $0.name == $1.name && $0.data == ByteBuffer(string: $1.data) }
        try promise(isSame, "\(texts) became \(again)")
    }
}
