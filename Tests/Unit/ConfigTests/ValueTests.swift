import BulkheadConfig
import Testing

@Test(
    "durations are read in their units",
    arguments: [
        ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
        ("2d", .seconds(172_800)), ("1.5s", .milliseconds(1500)), ("\"10s\"", .seconds(10)), ("0s", .zero),
    ])
func durations(_ text: String, _ expected: Duration) throws {
    let read = try reading(text) { $0.duration($1, default: .seconds(1), in: .zero ... .seconds(86_400 * 400)) }
    #expect(read.value == expected)
    #expect(read.problems == [])
}

@Test(
    "what is not a duration keeps the default and is a problem",
    arguments: [
        "30", "s", "-1s", "1 s", "1hour", "1e3s", "1..5s", ".5s", "99999999999999999999d", "200000d", "0.0000001ms", "[1s]",
    ])
func notDurations(_ text: String) throws {
    let read = try reading(text) { $0.duration($1, default: .seconds(1), in: .zero ... .seconds(86_400 * 400)) }
    #expect(read.value == .seconds(1))
    #expect(read.problems.count == 1)
}

@Test(
    "sizes are read in their units",
    arguments: [
        ("64KiB", 65_536), ("10MiB", 10_485_760), ("1GiB", 1_073_741_824), ("5kB", 5000), ("5MB", 5_000_000), ("512B", 512),
        ("512", 512), ("1.5KiB", 1536),
    ])
func sizes(_ text: String, _ expected: Int) throws {
    let read = try reading(text) { $0.size($1, default: 1, in: 0 ... 1 << 40) }
    #expect(read.value == expected)
    #expect(read.problems == [])
}

@Test(
    "what is not a size is a problem, with a correction when one is near",
    arguments: [
        ("10 MiB", "10MiB"), ("10mib", "10MiB"), ("10M", "10MiB"), ("10 bananas", nil), ("-1B", nil), ("1.5B", nil),
        ("9999999GiB", nil),
    ])
func notSizes(_ text: String, _ suggestion: String?) throws {
    let read = try reading(text) { $0.size($1, default: 1, in: 0 ... 1 << 40) }
    #expect(read.value == 1)
    #expect(read.problems.count == 1)
    #expect(read.problems.first?.contains("did you mean") == (suggestion != nil))
    if let suggestion { #expect(read.problems.first?.contains("did you mean \(suggestion)?") == true) }
}

@Test(
    "whole numbers are decimal and exact", arguments: ["0x10", "010", "1_000", "1e3", "5.0", "", "99999999999999999999", "true"])
func notWholeNumbers(_ text: String) throws {
    let read = try reading("\(text)") { $0.int($1, default: 3, in: 0 ... .max) }
    #expect(read.value == 3)
    #expect(read.problems.count == (text.isEmpty ? 0 : 1))
}

@Test("an unquoted off is a choice, not a truth value")
func plainOff() throws {
    let read = try reading("off") { $0.choice($1, default: Shade.light) }
    #expect(read.value == .off)
    #expect(read.problems == [])
}

@Test(
    "addresses have a host and a port",
    arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080), ("\"[::1]:8080\"", "::1", 8080), ("localhost:1", "localhost", 1),
        ("example.com:65535", "example.com", 65535),
    ])
func addresses(_ text: String, _ host: String, _ port: Int) throws {
    let read = try reading(text) { $0.hostPort($1, default: HostPort(host: "x", port: 1)) }
    #expect(read.value == HostPort(host: host, port: port))
    #expect(read.problems == [])
}

@Test(
    "what is not an address is a problem",
    arguments: [
        "127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1", "8080", ":8080", "127.0.0.1:", "127.0.0.1:+80", "::1:8080", "[::1]",
        "[zz]:80", "300.0.0.1:80", "1.2.3:80", "a b:80", "-a.com:80", "a..b:80", "host:80/path",
    ])
func notAddresses(_ text: String) throws {
    let read = try reading("'\(text)'") { $0.hostPort($1, default: HostPort(host: "x", port: 1)) }
    #expect(read.problems.count == 1)
}

@Test("port 0 is valid only where any free port will do")
func portZero() throws {
    #expect(HostPort("127.0.0.1:0") == nil)
    #expect(HostPort("127.0.0.1:0", allowsPortZero: true)?.port == 0)
}

@Test(
    "an address knows whether only this machine reaches it",
    arguments: [
        ("127.0.0.1:1", true), ("127.8.8.8:1", true), ("[::1]:1", true), ("[0:0:0:0:0:0:0:1]:1", true), ("localhost:1", true),
        ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false), ("127.example.com:1", false),
    ])
func loopback(_ text: String, _ expected: Bool) throws {
    #expect(try #require(HostPort(text)).isLoopback == expected)
}

@Test("a URL is taken apart")
func urlParts() throws {
    let url = try #require(AbsoluteURL("HTTPS://user@API.example.com:8443/a%20b?x=1"))
    #expect(url.scheme == "https")
    #expect(url.userInfo == "user")
    #expect(url.host == "api.example.com")
    #expect(url.port == 8443)
    #expect(url.path == "/a%20b")
    #expect(url.query == "x=1")
    #expect(AbsoluteURL("https://[::1]/")?.host == "::1")
    #expect(AbsoluteURL("http://a")?.effectivePort == 80)
    #expect(AbsoluteURL("http://a?q")?.query == "q")
}

@Test(
    "what is not an absolute URL of the scheme is a problem",
    arguments: [
        "not a url", "api.example.com", "https://", "https:///path", "https://a b", "https://exa mple.com", "https://a:99999",
        "https://a:b", "https://a/%zz", "https://a#fragment", "ftp://a", "//a", "https:/a", "https://a@b@c", "https://a\\b",
        "https://ex\u{e4}mple.com", "1https://a",
    ])
func notURLs(_ text: String) throws {
    let read = try reading("'\(text)'") { $0.url($1, schemes: ["https", "http"]) }
    #expect(read.value == nil)
    #expect(read.problems.count == 1)
}

@Test("a password in a URL is never shown")
func urlPasswordIsHidden() throws {
    let url = try #require(AbsoluteURL("postgresql://me:hunter2@db/x"))
    #expect(url.description == "postgresql://me:(hidden)@db/x")
    let read = try reading("ftp://me:hunter2@db/x") { $0.url($1, schemes: ["postgresql"]) }
    #expect(read.problems.count == 1)
    #expect(read.problems.first?.contains("hunter2") == false)
}

@Test("what is in force is told with where it comes from")
func effectiveValues() throws {
    let document = try ConfigDocument.parse("it:\n  a: 5\n  url: postgresql://me:hunter2@db/x\n", file: "f.yaml")
    let section = document.section("it")
    _ = section.int("a", default: 1, in: 0 ... 9)
    _ = section.duration("b", default: .seconds(90), in: .zero ... .seconds(100))
    _ = section.url("url", schemes: ["postgresql"])
    _ = section.optionalString("c")
    #expect(
        document.effective == [
            EffectiveValue(key: "it.a", value: "5", source: .file(line: 2)),
            EffectiveValue(key: "it.b", value: "90s", source: .defaulted),
            EffectiveValue(key: "it.url", value: "postgresql://me:(hidden)@db/x", source: .file(line: 3)),
            EffectiveValue(key: "it.c", value: "null", source: .defaulted),
        ])
}
