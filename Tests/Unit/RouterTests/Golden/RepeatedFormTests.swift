import BulkheadAPI
import NIOCore
import RouterService
import Testing

/// Events of a run that differ in one string are decoded by their form. Told apart by blanks, they are not: both ways must agree.
struct RepeatedFormTests {
    private static let fragments = [
        "a", " more", "", "é🙂", "\\n", "\\\"", "\\u0041", "\u{1}", "\"", "x\\", "+", "stop", "error", "text_delta", "\u{7f}",
        String(repeating: "long ", count: 200),
    ]

    /// The lines of `text` with some of them repeated, another string in the place of one of theirs.
    private static func repeated(_ text: String, _ generator: inout SplitMix) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
            let line = String(line)
            let strings = line.ranges(of: #/"[^"\\]*"/#)
            guard line.hasPrefix("data: {"), let range = strings.randomElement(using: &generator) else { return [line] }
            let more = (0 ..< Int.random(in: 0 ..< 5, using: &generator)).flatMap { _ in
                ["", line.replacingCharacters(in: range, with: fragments.randomElement(using: &generator) ?? "")]
            }
            return [line] + more
        }
    }

    private static func decoded(_ golden: GoldenAnswer, _ lines: [String]) -> String {
        GoldenAnswer(
            name: golden.name, dialect: golden.dialect, choices: golden.choices, wire: .stream(lines.joined(separator: "\n")),
            expected: ""
        ).decoded().replacing(#/(call|toolu)_[0-9a-f]{16}/#, with: "id")
    }

    @Test(
        "an event that is like the one before but for a string has the effect it has alone",
        arguments: GoldenTests.answers.filter { if case .stream = $0.wire { true } else { false } })
    func sameAsAlone(_ golden: GoldenAnswer) {
        guard case .stream(let text) = golden.wire else { return }
        var generator = SplitMix(seed: UInt64(text.utf8.count))
        for _ in 0 ..< 100 {
            let lines = Self.repeated(text, &generator)
            let apart = lines.enumerated().map { number, line in
                line.hasPrefix("data: {") ? line + String(repeating: " ", count: number + 1) : line
            }
            #expect(Self.decoded(golden, lines) == Self.decoded(golden, apart))
        }
    }

    @Test("a form is left when the answer has ended: content after it is a fault")
    func afterTheEnd() throws {
        func chunk(_ choice: String) -> ByteBuffer { ByteBuffer(string: "data: {\"choices\":[{\"index\":0,\(choice)}]}\n\n") }
        var decoder = AnswerDecoder(.openai)
        var events: [ChatAPI.ChatEvent] = []
        for text in ["a", "b", "c"] { try decoder.feed(chunk(#""delta":{"content":"\#(text)"}"#), into: &events) }
        try decoder.feed(chunk(#""delta":{},"finish_reason":"stop""#), into: &events)
        #expect(events.map(\.text) == ["a", "b", "c", ""])
        #expect(throws: DecodeFault.malformed("went on after the end of its answer")) {
            try decoder.feed(chunk(#""delta":{"content":"d"}"#), into: &events)
        }
    }

    @Test("what is no UTF-8 is refused in the middle of a run")
    func notUTF8() throws {
        var decoder = AnswerDecoder(.openai)
        var events: [ChatAPI.ChatEvent] = []
        for text in ["a", "b", "ü"] {
            try decoder.feed(ByteBuffer(string: "data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"}}]}\n\n"), into: &events)
        }
        var broken = ByteBuffer(string: "data: {\"choices\":[{\"delta\":{\"content\":\"")
        broken.writeBytes([0xc0, 0x80])
        broken.writeString("\"}}]}\n\n")
        #expect(events.map(\.text) == ["a", "b", "ü"])
        #expect(throws: DecodeFault.malformed("sent something that is no JSON")) { try decoder.feed(broken, into: &events) }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        self[..<range.lowerBound] + "\"" + text + "\"" + self[range.upperBound...]
    }
}
