import BulkheadHTTP
import NIOCore
import Testing

struct SSETests {
    private static let corpus =
        "\u{feff}: hello\nevent: first\ndata: one\n\ndata:two\r\ndata\r\ndata:  three: é😀\r\n\r\nid: 7\rdata: four\r\r"
        + "event: lost\n\nid: a\0b\nretry: 10\ndatax: no\ndata:\n\nunknown: x\nevent:second\ndata: {\"a\":1}\n\n:c\n\ndata: tail"

    private static let expected = [
        SSEEvent(name: "first", data: ByteBuffer(string: "one")),
        SSEEvent(data: ByteBuffer(string: "two\n\n three: é😀")),
        SSEEvent(data: ByteBuffer(string: "four"), id: "7"),
        SSEEvent(data: ByteBuffer(string: ""), id: "7"),
        SSEEvent(name: "second", data: ByteBuffer(string: "{\"a\":1}"), id: "7"),
    ]

    @Test("a stream cut in three at any two places gives the same events")
    func everySplit() throws {
        let bytes = Array(Self.corpus.utf8)
        for first in 0 ... bytes.count {
            for second in first ... bytes.count {
                var parser = SSEParser()
                var events: [SSEEvent] = []
                for piece in [bytes[..<first], bytes[first ..< second], bytes[second...]] {
                    events += try parser.feed(ByteBuffer(bytes: piece))
                }
                #expect(events == Self.expected && parser.isInsideEvent)
            }
        }
    }

    @Test("a stream that arrives byte by byte gives the same events")
    func byteByByte() throws {
        var parser = SSEParser()
        let events = try Self.corpus.utf8.flatMap { try parser.feed(ByteBuffer(bytes: [$0])) }
        #expect(events == Self.expected)
    }

    @Test("every line end ends a line", arguments: ["\n", "\r", "\r\n"])
    func lineEnds(end: String) throws {
        var parser = SSEParser()
        let events = try parser.feed(ByteBuffer(string: ["data: a", "data: b", "", "data: c", "", ""].joined(separator: end)))
        #expect(events.map { String(buffer: $0.data) } == ["a\nb", "c"])
        #expect(!parser.isInsideEvent)
    }

    @Test("a line over the limit is an error whether it comes in one piece or in several")
    func longLine() {
        let stream = "data: " + String(repeating: "x", count: 27) + "\n\n"
        for pieces in [[stream], stream.map { String($0) }] {
            var parser = SSEParser(maxEventBytes: 32)
            #expect(throws: SSEError.eventTooLarge(limit: 32)) {
                for piece in pieces { _ = try parser.feed(ByteBuffer(string: piece)) }
            }
        }
    }

    @Test("a line or an event over the limit is an error, one at the limit is not")
    func limit() throws {
        let fits = "data: " + String(repeating: "x", count: 26) + "\n\n"
        var parser = SSEParser(maxEventBytes: 32)
        #expect(try parser.feed(ByteBuffer(string: fits)).count == 1)
        #expect(throws: SSEError.eventTooLarge(limit: 32)) {
            try parser.feed(ByteBuffer(string: String(repeating: "y", count: 33)))
        }
        var joining = SSEParser(maxEventBytes: 32)
        #expect(throws: SSEError.self) {
            for _ in 0 ..< 40 { _ = try joining.feed(ByteBuffer(string: "data\n")) }
        }
    }

    @Test("random pieces of random bytes neither crash nor exceed the limit", arguments: 0 ..< 200)
    func hostile(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("data:event:id: \r\n\r\n\nx".utf8) + [0x00, 0xff, 0xef, 0xbb, 0xbf]
        let bytes = (0 ..< 2_000).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
        var parser = SSEParser(maxEventBytes: 4_096)
        let whole = try parser.feed(ByteBuffer(bytes: bytes))
        var pieces: [SSEEvent] = []
        var second = SSEParser(maxEventBytes: 4_096)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0 ... 9, using: &generator))
            pieces += try second.feed(ByteBuffer(bytes: bytes[start ..< end]))
            start = end
        }
        #expect(pieces == whole)
        #expect(second.isInsideEvent == parser.isInsideEvent)
    }

    @Test("what the writer writes the parser reads")
    func roundTrip() throws {
        var buffer = ByteBuffer()
        SSEWriter.write(name: "ping", data: "{}", into: &buffer)
        SSEWriter.comment("alive", into: &buffer)
        SSEWriter.write(data: "a\nb\r\nc\rd", into: &buffer)
        SSEWriter.write(data: "", into: &buffer)
        SSEWriter.write(name: "j", json: ["t": "x\ny"], into: &buffer)
        var parser = SSEParser()
        let events = try parser.feed(buffer)
        #expect(events.map(\.name) == ["ping", "", "", "j"])
        #expect(events.map { String(buffer: $0.data) } == ["{}", "a\nb\nc\nd", "", #"{"t":"x\ny"}"#])
    }
}
