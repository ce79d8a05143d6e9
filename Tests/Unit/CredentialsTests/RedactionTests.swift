import CredentialsService
import Foundation
import NIOCore
import Testing

private let secret = Array("sk-Zq7+Pw9/Xx_28=Tail~End\"x".utf8)

private func redact(_ pieces: [[UInt8]], _ needles: SecretNeedles) -> (text: String, count: Int) {
    var redactor = StreamRedactor(needles)
    var out = ByteBuffer()
    for piece in pieces { out.writeImmutableBuffer(redactor.feed(ByteBuffer(bytes: piece))) }
    out.writeImmutableBuffer(redactor.finish())
    return (String(buffer: out), redactor.count)
}

private func percentEncoded(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let isPlain =
            byte < 128
            && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber || "-._~".utf8.contains(byte))
        return isPlain ? String(UnicodeScalar(byte)) : String(format: "%%%02X", byte)
    }.joined()
}

@Test("every form of a secret is replaced at every place a body can be split")
func everySplit() {
    let needles = SecretNeedles(secret)
    let raw = String(decoding: secret, as: UTF8.self)
    let forms = [
        raw, Data(secret).base64EncodedString(), percentEncoded(secret), secret.map { String(format: "%02x", $0) }.joined(),
        secret.map { String(format: "%02X", $0) }.joined(), raw.replacingOccurrences(of: "\"", with: "\\\""),
    ]
    for form in forms {
        let body = Array("data: before \(form) between \(form) after".utf8)
        for split in 0 ... body.count {
            let (text, count) = redact([Array(body[..<split]), Array(body[split...])], needles)
            #expect(count == 2, "\(form) split at \(split)")
            #expect(
                !text.contains(form) && text.hasPrefix("data: before [redacted]") && text.hasSuffix(" after"), "split at \(split)"
            )
        }
    }
}

@Test("a secret inside a longer base64 text is found at each of its three offsets", arguments: 0 ..< 6)
func insideBase64(_ offset: Int) {
    let needles = SecretNeedles(secret)
    let text = Data(Array(repeating: UInt8(ascii: "p"), count: offset) + secret + Array("tail".utf8)).base64EncodedString()
    #expect(redact([Array(text.utf8)], needles).count == 1)
    let urlSafe = text.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
    #expect(redact([Array(urlSafe.utf8)], needles).count == 1)
}

@Test("a body that comes byte by byte loses nothing but the secret")
func byteByByte() {
    let needles = SecretNeedles(secret)
    let body = Array("sk-sk-Zq7+Pw9".utf8) + secret + secret + Array("sk-Zq7".utf8)
    let (text, count) = redact(body.map { [$0] }, needles)
    #expect(count == 2)
    #expect(text == "sk-sk-Zq7+Pw9[redacted][redacted]sk-Zq7")
}

@Test("a piece that cannot be the beginning of the secret is passed on at once and unchanged")
func noDelay() {
    var redactor = StreamRedactor(SecretNeedles(secret))
    let event = ByteBuffer(string: "data: {\"delta\":\"hello\"}\n\n")
    #expect(redactor.feed(event) == event)
    #expect(redactor.finish().readableBytes == 0)
}

@Test("random texts without the secret come out as they went in, however they are cut")
func harmless() {
    var random = SystemRandomNumberGenerator()
    let needles = SecretNeedles(secret)
    let alphabet = secret + Array("sk-Z".utf8)
    for _ in 0 ..< 300 {
        let body = (0 ..< Int.random(in: 0 ... 400, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        var pieces: [[UInt8]] = []
        var rest = body[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1 ... rest.count, using: &random)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(redact(pieces, needles).text == String(decoding: body, as: UTF8.self))
    }
}

@Test("of a user and password the password alone is found as well")
func pair() {
    let needles = SecretNeedles(Array("someone:correct-horse-battery".utf8), isPair: true)
    #expect(
        redact([Array("p=correct-horse-battery; u=someone:correct-horse-battery.".utf8)], needles).text
            == "p=[redacted]; u=[redacted].")
}
