import BulkheadConfig
import CredentialsService
import Foundation
import Glibc
import Testing

private func place(ofURL authority: String) -> SealedHost? {
    let quoted = String(decoding: (try? JSONEncoder().encode("https://\(authority)")) ?? Data(), as: UTF8.self)
    let text = "credentials:\n  destinations:\n    it: { base_url: \(quoted), private_network: true }\n"
    return try? loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml").service.destinations.first?.place
}

@Test(
    "a host that could be read two ways is refused, in the configuration and behind --host",
    arguments: [
        "2130706433", "0x7f.1", "0x7f000001", "0x7f.0.0.1", "127.1", "127.0.1", "017700000001", "0177.0.0.1", "127.0.0.01",
        "1.2.3.4.5", "256.1.1.1", "api.openai.com.", "127.0.0.1.", "api.openai.com\\@evil.test", "user@api.openai.com",
        "api.openai.com%2eevil.test", "api.openai.com%00", "api.openai.com\t", "api openai.com", "ⓐpi.openai.com",
        "api。openai。com", "аpi.openai.com", "ａpi.openai.com", "[::1%25lo]", "[fe80::1%eth0]", "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[::1", "::1", "", ":443", "api.openai.com:0",
        "api.openai.com:65536", "-a.example", "a..b", "api.x#@evil.test", "evil.test#", "a,b",
    ])
func oddHosts(_ text: String) {
    #expect(SealedHost(text) == nil)
    #expect(place(ofURL: text) == nil)
}

@Test(
    "ordinary hosts are taken, capitals made small",
    arguments: [
        ("api.openai.com", "api.openai.com"), ("API.OpenAI.com:443", "api.openai.com"),
        ("xn--pi-6kc.example", "xn--pi-6kc.example"),
        ("10.0.0.7:8080", "10.0.0.7:8080"), ("[::1]:9000", "[::1]:9000"), ("[2606:4700::1111]", "[2606:4700::1111]"),
        ("[2606:4700::AB]", "[2606:4700::ab]"), ("my_service:8000", "my_service:8000"), ("0x.example", "0x.example"),
    ])
func plainHosts(_ text: String, _ shown: String) {
    #expect(SealedHost(text)?.description == shown)
    #expect(place(ofURL: text)?.description == shown)
}

@Test("names in other scripts are answered with what to write")
func punycode() {
    let text = "credentials:\n  destinations:\n    it: { base_url: \"https://аpi.openai.com\" }\n"
    #expect {
        _ = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml")
    } throws: { "\($0)".contains("punycode") }
}

@Test("whatever is taken for a host has one spelling, and no resolver reads another address into it")
func hostProperties() {
    let pieces = [
        "a", "B", "127", "0", "1", ".", ".", ".", ":", "443", "0x", "7f", "[", "]", "::", "%", "@", "\\", "/", "?", "#", " ", "-",
        "_",
        "xn--", "é", "。", "\u{0}", "ffff", "2130706433", "017",
    ]
    var random = SeededGenerator(4)
    var taken = 0
    for _ in 0 ..< 20_000 {
        let text = (0 ..< Int.random(in: 1 ... 8, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
            .joined()
        let sealed = SealedHost(text)
        guard let sealed else { continue }
        taken += 1
        #expect(sealed.host.utf8.allSatisfy { $0 > 32 && $0 < 127 } && sealed.host == sealed.host.lowercased())
        #expect(!sealed.host.hasSuffix(".") && SealedHost(sealed.description) == sealed)
        var lenient = in_addr()
        var strict = in_addr()
        if inet_aton(sealed.host, &lenient) != 0 {
            #expect(inet_pton(AF_INET, sealed.host, &strict) == 1 && strict.s_addr == lenient.s_addr, "\(text)")
        }
    }
    #expect(taken > 500, "some must be taken for this to mean anything")
}

@Test("a URL and --host agree on what is a host")
func agreement() {
    let pieces = ["a", "B", "127", "0", "1", ".", ".", ":", "443", "0x", "7f", "[", "]", "::", "%", "\\", "-", "xn--", "é", "8"]
    var random = SeededGenerator(5)
    for _ in 0 ..< 1500 {
        let text = (0 ..< Int.random(in: 1 ... 6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
            .joined()
        guard let url = place(ofURL: text) else { continue }
        #expect(SealedHost(text) == url, "\(text)")
    }
}
