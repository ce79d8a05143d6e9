import CredentialsService
import Foundation
import NIOCore
import Testing

/// With what encoders escape: quotes, slashes, markup, signs of base64 and queries.
private let odd = #"p"a/s<s>&w'o=r+d\Zq7%Xx28~end"#
private let plain = "sk-proj-Zq7Pw9Xx28_LmNoPqRsTuVwXyZ0123456789"

private func redact(_ pieces: [[UInt8]], _ needles: SecretNeedles) -> (text: [UInt8], count: Int) {
    var redactor = StreamRedactor(needles)
    var out = ByteBuffer()
    for piece in pieces { out.writeImmutableBuffer(redactor.feed(ByteBuffer(bytes: piece))) }
    out.writeImmutableBuffer(redactor.finish())
    return (Array(buffer: out), redactor.count)
}

private func hex(_ text: String, _ format: String) -> String { text.utf8.map { String(format: format, $0) }.joined() }

private func escaped(_ text: String, _ which: String, _ format: String) -> String {
    text.utf8.map { which.utf8.contains($0) || which.isEmpty ? String(format: format, $0) : String(UnicodeScalar($0)) }.joined()
}

private func wrapped(_ text: String, at width: Int, _ end: String, indent: Int = 0) -> String {
    stride(from: 0, to: text.count, by: width).map { String(text.dropFirst($0).prefix(width)) }
        .joined(separator: end + String(repeating: " ", count: indent))
}

private func forms(_ secret: String) -> [String] {
    let bytes = Array(secret.utf8)
    let markup = secret.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    let json = secret.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    let allButWords = secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? ""
    let base64 = Data(bytes).base64EncodedString()
    let urlSafe = base64.replacing("+", with: "-").replacing("/", with: "_")
    return [
        secret, base64, urlSafe, urlSafe.replacing("=", with: ""), hex(secret, "%02x"), hex(secret, "%02X"),
        hex(secret, "%%%02x"),
        hex(secret, "%%%02X"), allButWords, json, json.replacing("/", with: "\\/"), hex(secret, "\\u%04x"),
        hex(secret, "\\u%04X"),
        json.replacing("<", with: "\\u003c").replacing(">", with: "\\u003e").replacing("&", with: "\\u0026"),
        json.replacing("<", with: "\\u003C").replacing(">", with: "\\u003E").replacing("&", with: "\\u0026"),
        json.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""),
        markup.replacing("\"", with: "&quot;").replacing("'", with: "&#39;"),
        markup.replacing("\"", with: "&#34;").replacing("'", with: "&#x27;"), hex(secret, "&#x%02x;"), hex(secret, "&#x%02X;"),
        hex(secret, "&#%d;"), escaped(secret, #""/<>&'=+\%~-_"#, "&#%d;"), escaped(secret, #""/<>&'=+\%~-_"#, "\\u%04x"),
        escaped(secret, #""/<>&'=+\%~-_"#, "%%%02x"), escaped(secret, #""/<>&'=+\%~-_"#, "%%%02X"),
        // html/template of Go, Mustache, Handlebars.
        markup.replacing("\"", with: "&#34;").replacing("'", with: "&#39;").replacing("+", with: "&#43;"),
        markup.replacing("\"", with: "&quot;").replacing("'", with: "&#39;").replacing("/", with: "&#x2F;")
            .replacing("=", with: "&#x3D;"),
        markup.replacing("\"", with: "&quot;").replacing("'", with: "&#x27;").replacing("=", with: "&#x3D;"),
        // PHP's and Python's, which leaves quotes; .NET's JSON, PHP's with all of its flags.
        markup.replacing("\"", with: "&quot;").replacing("'", with: "&#039;"), markup,
        escaped(secret.replacing("\\", with: "\\\\"), "<>&'\"+", "\\u%04X"),
        escaped(secret.replacing("\\", with: "\\\\"), "<>&'\"", "\\u%04X").replacing("/", with: "\\/"),
    ]
}

@Test("every spelling of a secret is taken out, wherever a body is split", arguments: [odd, plain])
func everySpelling(_ secret: String) {
    let needles = SecretNeedles(Array(secret.utf8))
    for form in Set(forms(secret)) {
        let body = Array("{\"a\": \"".utf8) + Array(form.utf8) + Array("\", \"b\": \"end\"}".utf8)
        for split in 0 ... body.count {
            let (text, count) = redact([Array(body[..<split]), Array(body[split...])], needles)
            let said = String(decoding: text, as: UTF8.self)
            #expect(
                count == 1 && said.hasPrefix("{\"a\": \"[redacted]") && said.hasSuffix("\", \"b\": \"end\"}"),
                "\(form) at \(split)")
            #expect(said.count <= body.count - form.utf8.count + 12)
        }
    }
}

@Test("UTF-16 texts of a secret are taken out", arguments: [String.Encoding.utf16LittleEndian, .utf16BigEndian])
func utf16(_ encoding: String.Encoding) throws {
    let needles = SecretNeedles(Array(odd.utf8))
    let body = Array(try #require("before \(odd) after".data(using: encoding)))
    for split in 0 ... body.count {
        #expect(redact([Array(body[..<split]), Array(body[split...])], needles).count == 1, "split at \(split)")
    }
}

@Test(
    "a secret inside wrapped base64 is taken out, wherever the lines break and the body is split",
    arguments: [(64, "\n"), (76, "\r\n"), (76, "\\n"), (64, "\\r\\n"), (60, "\n")])
func wrappedBase64(_ width: Int, _ end: String) {
    let needles = SecretNeedles(Array(plain.utf8))
    for offset in stride(from: 0, to: 90, by: 7) {
        let text = Data(Array(repeating: UInt8(ascii: "p"), count: offset) + Array(plain.utf8) + Array("tail".utf8))
            .base64EncodedString()
        let lines = wrapped(text, at: width, end, indent: offset % 3)
        let whole = redact([Array(lines.utf8)], needles)
        #expect(whole.count == 1, "offset \(offset)")
        for split in 0 ... lines.utf8.count {
            let bytes = Array(lines.utf8)
            let (out, count) = redact([Array(bytes[..<split]), Array(bytes[split...])], needles)
            #expect(count == 1, "offset \(offset) split at \(split)")
            #expect(out.count <= whole.text.count + 8)
        }
    }
}

@Test("many secrets are told apart, whichever is the beginning of another")
func many() {
    let secrets = ["Zq7Pw9Xx28", "Zq7Pw9Xx28-and-more-of-it", "another-one-12345"]
    let needles = SecretNeedles(secrets.map { Array($0.utf8) })
    let body = Array("1 Zq7Pw9Xx28 2 Zq7Pw9Xx28-and-more-of-it 3 another-one-12345 4 Zq7Pw9Xx28-and".utf8)
    for split in 0 ... body.count {
        let (text, count) = redact([Array(body[..<split]), Array(body[split...])], needles)
        #expect(count == 4)
        #expect(
            String(decoding: text, as: UTF8.self) == "1 [redacted] 2 [redacted] 3 [redacted] 4 [redacted]-and",
            "split at \(split)")
    }
}

@Test("a part of a secret is not taken out: it would tell a guesser how far he is")
func parts() {
    let needles = SecretNeedles(Array(plain.utf8))
    for form in [plain, Data(plain.utf8).base64EncodedString(), hex(plain, "%02x")] {
        for length in [8, form.count / 2, form.count * 3 / 4] {
            for part in [form.prefix(length), form.suffix(length)] {
                #expect(redact([Array(part.utf8)], needles) == (Array(part.utf8), 0))
            }
        }
    }
}

@Test("an event that no secret could begin in is passed on at once, unchanged, event by event")
func events() {
    var redactor = StreamRedactor(SecretNeedles([Array(plain.utf8), Array(odd.utf8)]))
    for number in 0 ..< 500 {
        let text = "data: {\"id\":\"chatcmpl-\(number)\",\"choices\":[{\"delta\":{\"content\":\" word\(number)\"},\"index\":0}]}"
        let event = ByteBuffer(string: text.padding(toLength: 118, withPad: " ", startingAt: 0) + "\n\n")
        #expect(redactor.feed(event) == event)
    }
    #expect(redactor.finish().readableBytes == 0 && redactor.count == 0)
}

@Test("only what may become a secret waits, and it is passed on when it does not")
func heldOnly() {
    var redactor = StreamRedactor(SecretNeedles(Array(plain.utf8)))
    #expect(String(buffer: redactor.feed(ByteBuffer(string: "data: one\n\ndata: sk-proj"))) == "data: one\n\ndata: ")
    #expect(String(buffer: redactor.feed(ByteBuffer(string: "ect\n\n"))) == "sk-project\n\n")
}

@Test("64 KiB without a secret are looked through in well under a millisecond, and not copied")
func speed() {
    let needles = SecretNeedles(Array(plain.utf8))
    let line =
        "data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"delta\":{\"content\":\" word\"}}]}\n\n"
    let body = ByteBuffer(string: String(String(repeating: line, count: 700).prefix(64 << 10)))
    var redactor = StreamRedactor(needles)
    var best = Duration.seconds(1)
    for _ in 0 ..< 200 {
        let begun = ContinuousClock.now
        let out = redactor.feed(body)
        best = min(best, ContinuousClock.now - begun)
        #expect(out == body)
    }
    #expect(best < .milliseconds(1))
}
