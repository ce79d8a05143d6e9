import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import CredentialsService
import Testing

/// Reads the section of one destination.
func destination(_ yaml: String, isProvider: Bool = false) throws -> Destination {
    let text = "credentials:\n  destinations:\n    it: { \(yaml) }\n"
    let loaded = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml")
    let configuration = try #require(loaded.service.destinations.first)
    let metrics = DestinationMetrics(destination: "it")
    return Destination(configuration, isProvider: isProvider, secret: .none, metrics: metrics)
}

@Test(
    "patterns match the raw path, segment by segment",
    arguments: [
        ("/v1/balance", "/v1/balance", true), ("/v1/balance", "/v1/balance/", false), ("/v1/balance", "/v1/balances", false),
        ("/v1/balance", "/V1/balance", false), ("/v1/balance", "/v1/%62alance", false), ("/v1/*/items", "/v1/7/items", true),
        ("/v1/*/items", "/v1//items", false), ("/v1/*/items", "/v1/7/8/items", false), ("/v1/*", "/v1/7", true),
        ("/v1/*", "/v1/", false),
        ("/v1/**", "/v1/7", true), ("/v1/**", "/v1/7/8/9", true), ("/v1/**", "/v1", false), ("/**", "/anything/at/all", true),
        ("/", "/", true), ("/", "/x", false),
    ])
func patterns(_ pattern: String, _ path: String, _ matches: Bool) throws {
    #expect(try #require(PathPattern(pattern)).matches(path) == matches)
}

@Test(
    "texts that are no patterns are refused",
    arguments: ["", "v1", "/v1/**/x", "/v1/a*", "/v1/../x", "/v1/%2e%2e", "/v1//x", "/a?b"])
func noPatterns(_ text: String) { #expect(PathPattern(text) == nil) }

@Test(
    "a path that could be read two ways is refused",
    arguments: [
        "", "x/ping", "//x/ping", "/x/../ping", "/x/./ping", "/x/%2e%2e/ping", "/x/%2E%2E%2Fping", "/x%2fping", "/x%5cping",
        "/x\\ping", "/x/..;/ping",
        "/x/..;a=b/ping", "/x%00", "/x%0d%0aX:1", "/x ping", "/x#f", "/x?y", "/x%", "/x%2", "/x%zz", "/x\r\ny", "/x\u{7f}", "/ä",
        "/\u{212a}",
        "/x%25%32%65", "/x//y",
        "/x%23/..", "/x%3fy", "/x/..%3B/ping", "/x/.%3bv/ping", "/x/;/ping", "/;v=1/ping", "/x/%c0%ae%c0%ae/ping", "/x%C0%AFping",
        "/x/%ff",
    ])
func crookedPaths(_ path: String) { #expect(TargetSyntax.pathProblem(path) != nil) }

@Test(
    "ordinary paths pass",
    arguments: [
        "/", "/v1/models", "/v1/models/", "/v1beta/models/gemini:generateContent", "/a%20b", "/~me/@x,y;v=1", "/caf%C3%A9",
        "/a;v=1/b", "/.well-known/x",
        "/...",
    ])
func straightPaths(_ path: String) { #expect(TargetSyntax.pathProblem(path) == nil) }

@Test("a path that looks like one that was found good is judged by its own bytes")
func lookalikes() throws {
    let it = try destination("base_url: \"https://api.example.com\", paths: [\"/K/**\"]", isProvider: true)
    let (kelvin, known) = ("/\u{212a}/a", "/K/a")
    #expect(kelvin == known, "Strings compare by what they look like")
    for _ in 1 ... 2 { _ = try it.target(of: .init(method: "GET", path: known), peer: "router") }
    #expect(throws: CallError.self) { try it.target(of: .init(method: "GET", path: kelvin), peer: "router") }
    #expect(throws: CallError.self) { try it.target(of: .init(method: "GET", path: "/other"), peer: "router") }
}

@Test("queries are passed on raw, with the characters encoded that people leave as they are")
func queries() {
    #expect(TargetSyntax.query("a=1%20x&b=2") == "a=1%20x&b=2")
    #expect(TargetSyntax.query("f[x]=1|2") == "f%5Bx%5D=1%7C2")
    #expect(TargetSyntax.query("to=https://a/?b") == "to=https://a/?b")
    for bad in ["a b", "a#b", "a%", "a\r\nb", "ä"] { #expect(TargetSyntax.query(bad) == nil) }
}

private func reason(_ destination: Destination, _ method: String, _ path: String, peer: String = "edge") -> String? {
    do {
        _ = try destination.target(of: CredentialsAPI.CallRequest(method: method, path: path), peer: peer)
        return nil
    } catch {
        return error.reason
    }
}

@Test("a destination lets through its callers, methods and paths, and nothing else")
func narrow() throws {
    let narrow = try destination(
        "base_url: \"https://api.example.com\", methods: [GET], paths: [\"/v1/balance\"], callers: [edge]")
    #expect(reason(narrow, "GET", "/v1/balance") == nil)
    #expect(reason(narrow, "POST", "/v1/balance") == "destination_denied")
    #expect(reason(narrow, "GET", "/v1/charges") == "destination_denied")
    #expect(reason(narrow, "GET", "/v1/balance", peer: "router") == "destination_unknown")
    #expect(reason(narrow, "get", "/v1/balance") == "invalid_request")
    #expect(reason(narrow, "GET\r\n", "/v1/balance") == "invalid_request")
}

@Test("without `methods` all but TRACE and CONNECT pass; without `callers` only the router, and only for a provider")
func defaults() throws {
    let open = try destination("base_url: \"https://api.example.com\"", isProvider: true)
    #expect(reason(open, "PATCH", "/x", peer: "router") == nil)
    #expect(reason(open, "TRACE", "/x", peer: "router") == "destination_denied")
    #expect(reason(open, "CONNECT", "/x", peer: "router") == "destination_denied")
    #expect(reason(open, "GET", "/x", peer: "edge") == "destination_unknown")
    #expect(
        reason(try destination("base_url: \"https://api.example.com\""), "GET", "/x", peer: "router") == "destination_unknown")
}

@Test("the target is the destination's place and prefix with the caller's path")
func target() throws {
    let prefixed = try destination("base_url: \"https://api.example.com:8443/base/\", callers: [edge]")
    let target = try prefixed.target(of: CredentialsAPI.CallRequest(method: "GET", path: "/v1/x", query: "a=b"), peer: "edge")
    #expect(target.text == "/base/v1/x?a=b")
    #expect(prefixed.origin.authority == "api.example.com:8443" && prefixed.origin.isTLS)
}

@Test(
    "hosts are known for what they are",
    arguments: [
        ("127.0.0.1", NetworkKind.inside), ("localhost", .inside), ("x.localhost", .inside), ("localhost.", .inside),
        ("10.1.2.3", .inside),
        ("172.16.0.1", .inside), ("172.32.0.1", .outside), ("192.168.1.1", .inside), ("100.64.0.1", .inside), ("::1", .inside),
        ("fd00::1", .inside),
        ("::ffff:127.0.0.1", .inside), ("64:ff9b::a9fe:a9fe", .forbidden), ("169.254.169.254", .forbidden),
        ("0.0.0.0", .forbidden), ("::", .forbidden),
        ("fe80::1", .forbidden), ("224.0.0.1", .forbidden), ("255.255.255.255", .forbidden), ("8.8.8.8", .outside),
        ("api.openai.com", .outside),
        ("2606:4700::1", .outside),
    ])
func networks(_ host: String, _ kind: NetworkKind) { #expect(NetworkKind(host: host) == kind) }

@Test("sealed hosts are compared by host and port, 443 when none is given")
func sealedHosts() {
    #expect(SealedHost("API.example.com") == SealedHost("api.example.com:443"))
    #expect(SealedHost("api.example.com:80") != SealedHost("api.example.com"))
    #expect(SealedHost("[::1]:9000")?.description == "[::1]:9000")
    for bad in ["", "https://x", "a/b", "a@b", "a b", "a:0", "a:99999"] { #expect(SealedHost(bad) == nil, "\(bad)") }
}
