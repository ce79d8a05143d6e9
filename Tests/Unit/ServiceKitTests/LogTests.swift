import BulkheadObservability
import Foundation
import Testing

@Suite("The JSON log") struct LogTests {
    private func record(_ message: String, _ metadata: [String: String] = [:]) throws -> [String] {
        let sink = try Sink()
        let handler = JSONLogHandler(service: "edge", level: .init(.info), writer: sink.writer)
        handler.log(
            event: .init(
                level: .warning, message: "\(message)", metadata: metadata.mapValues { "\($0)" }, source: nil, file: "f",
                function: "g",
                line: 1))
        return sink.lines()
    }

    private func parsed(_ line: String) throws -> [String: String] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String], "not JSON: \(line)")
    }

    @Test("a record is one JSON object on one line with time, level, service, message and metadata")
    func shape() throws {
        let lines = try record("listening", ["port": "8080", "b": "2", "a": "1"])
        #expect(lines.count == 1)
        let object = try parsed(lines[0])
        #expect(object["level"] == "warning" && object["service"] == "edge" && object["message"] == "listening")
        #expect(object["port"] == "8080")
        #expect(try #require(object["time"]).wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
        #expect(
            try #require(lines[0].range(of: "\"a\"")).lowerBound < #require(lines[0].range(of: "\"b\"")).lowerBound,
            "a stable order")
    }

    @Test(
        "whatever a record holds stays one line and comes back unchanged",
        arguments: [
            "two\nlines", "return\r\nand tab\t", "a \"quoted\" \\ backslash", "zero \0 byte", "escape \u{1b}[31mred\u{7f}",
            "{\"level\":\"error\"}\n{\"forged\":true}", "Grüße 世界 👩‍👩‍👧", "\u{2028}separator\u{85}", "",
        ])
    func escaping(_ text: String) throws {
        let lines = try record(text, ["key \(text)": text])
        #expect(lines.count == 1, "a record must not be able to forge another")
        let object = try parsed(lines[0])
        #expect(object["message"] == text && object["key \(text)"] == text)
        #expect(!lines[0].unicodeScalars.contains { $0.value < 32 || $0.value == 127 }, "control characters are escaped")
    }

    @Test("the level is shared by all loggers of a process and may change while they run")
    func level() throws {
        let sink = try Sink()
        let level = JSONLogHandler.Level(.info)
        let handlers = (0 ..< 3).map { _ in JSONLogHandler(service: "edge", level: level, writer: sink.writer) }
        level.current = .error
        #expect(handlers.allSatisfy { $0.logLevel == .error })
    }

    @Test("a reader that has stopped costs lines, which are counted, and never blocks")
    func stoppedReader() throws {
        let sink = try Sink()
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000)
        for _ in 0 ..< 5_000 { sink.writer.write(line) }
        #expect(sink.writer.dropped >= 3_000, "a pipe holds 64 KiB and the queue 1 MiB of the 5 MB")
        // The writer's thread waits for the pipe: it is emptied, so that the test ends.
        while !sink.lines().isEmpty {}
    }
}
