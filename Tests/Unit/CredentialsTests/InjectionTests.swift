import BulkheadAPI
import BulkheadCore
import CredentialsService
import NIOHTTP1
import Testing

private let value = "Zq7-Pw9+Xx28=End"

private func injected(_ preset: Preset, field: String = "", value: String = value, into headers: [(String, String)] = [])
    throws -> [String: [String]]
{
    var request = OutboundRequest(
        method: "GET", target: SecretText("/"), headers: headers.map { OutboundRequest.Header($0.0, SecretText($0.1)) })
    try Injection(InjectionSpec(preset: preset, field: field), value: SecretBytes(Array(value.utf8))).apply(to: &request)
    return Dictionary(grouping: request.headers, by: \.name).mapValues { $0.map(\.value.joined) }
}

private func queried(_ target: String) throws -> String {
    var request = OutboundRequest(method: "GET", target: SecretText(target))
    try Injection(InjectionSpec(preset: .query, field: "key"), value: SecretBytes(Array(value.utf8))).apply(to: &request)
    #expect(request.headers.map(\.name) == ["accept-encoding"])
    return request.target.joined
}

@Test(
    "each preset puts the secret where its upstream looks for it",
    arguments: [
        (Preset.openai, "authorization", "Bearer \(value)"), (.bearer, "authorization", "Bearer \(value)"),
        (.cohere, "authorization", "Bearer \(value)"),
        (.mistral, "authorization", "Bearer \(value)"), (.anthropic, "x-api-key", value), (.gemini, "x-goog-api-key", value),
        (.azure, "api-key", value),
        (.header, "x-token", value),
    ])
func presets(_ preset: Preset, _ header: String, _ expected: String) throws {
    #expect(try injected(preset, field: preset == .header ? "X-Token" : "")[header] == [expected])
}

@Test("preset basic encodes user and password")
func basic() throws { #expect(try injected(.basic, value: "user:pass-word")["authorization"] == ["Basic dXNlcjpwYXNzLXdvcmQ="]) }

@Test("preset anthropic adds a version unless the caller chose one")
func version() throws {
    #expect(try injected(.anthropic)["anthropic-version"] == ["2023-06-01"])
    #expect(try injected(.anthropic, into: [("anthropic-version", "2099-01-01")])["anthropic-version"] == ["2099-01-01"])
}

@Test("preset query adds an encoded parameter, and refuses a caller that sets it too")
func query() throws {
    #expect(try queried("/") == "/?key=Zq7-Pw9%2BXx28%3DEnd")
    #expect(try queried("/?a=1") == "/?a=1&key=Zq7-Pw9%2BXx28%3DEnd")
    #expect(throws: CallError.self) { try queried("/?a=1&key=mine") }
    #expect(throws: CallError.self) { try queried("/?%6bey=mine") }
}

private func outgoing(_ headers: [(String, String)], own: String? = nil, allowed: Set<String>? = nil) throws -> [String] {
    try HeaderHygiene.outgoing(headers.map { CredentialsAPI.Header(name: $0.0, value: $0.1) }, own: own, allowed: allowed).map {
        "\($0.name): \($0.value.joined)"
    }
}

@Test(
    "headers that carry credentials, framing, routing or belong to one connection are dropped",
    arguments: [
        "Authorization", "authorization", "X-Api-Key", "api-key", "x-goog-api-key", "Cookie", "Proxy-Authorization",
        "Proxy-Connection", "Host", "Connection",
        "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect", "Accept-Encoding",
        "X-HTTP-Method-Override",
        "X-Original-URL", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host",
    ])
func dropped(_ name: String) throws { #expect(try outgoing([(name, "x")]) == ["accept-encoding: identity"]) }

@Test("other headers pass unchanged; what `Connection` lists and the secret's own header do not")
func kept() throws {
    let headers = [
        ("X-Custom", "kept"), ("Idempotency-Key", "k"), ("Connection", "close, X-Gone"), ("X-Gone", "1"), ("X-Token", "mine"),
    ]
    #expect(try outgoing(headers, own: "x-token") == ["X-Custom: kept", "Idempotency-Key: k", "accept-encoding: identity"])
}

@Test("with a list only what it names and the basic headers pass; a header that misleads, only when it is named")
func listed() throws {
    let headers = [
        ("X-Custom", "1"), ("X-Listed", "2"), ("Content-Type", "a/b"), ("User-Agent", "u"), ("Idempotency-Key", "k"),
        ("X-HTTP-Method-Override", "DELETE"), ("Authorization", "mine"), ("X-Token", "mine"), ("Host", "evil.example"),
    ]
    let basics = ["Content-Type: a/b", "User-Agent: u", "Idempotency-Key: k"]
    #expect(try outgoing(headers, own: "x-token", allowed: []) == basics + ["accept-encoding: identity"])
    let named: Set = ["x-listed", "x-http-method-override", "x-token", "authorization", "host"]
    #expect(
        try outgoing(headers, own: "x-token", allowed: named) == ["X-Listed: 2"] + basics
            + ["X-HTTP-Method-Override: DELETE", "accept-encoding: identity"])
}

@Test(
    "a header that could smuggle another one in is refused",
    arguments: [
        ("X-Plain", "1\r\nX-Injected: 1"), ("X-Plain", "1\nX"), ("X-Plain", "1\0"), ("X-Plain: 1\r\nX-Injected", "1"),
        ("X Plain", "1"), ("X-Plain ", "1"),
        ("", "1"), ("X-Plain", "\u{7f}"), ("X-Plain", "\u{1b}[0m"), ("Ünicode", "1"),
    ])
func smuggled(_ name: String, _ value: String) { #expect(throws: CallError.self) { try outgoing([(name, value)]) } }

@Test("an announced body length counts only when it is one plain number")
func length() {
    func length(_ values: [String]) -> Int? {
        HeaderHygiene.contentLength(values.map { CredentialsAPI.Header(name: "Content-Length", value: $0) })
    }
    #expect(length(["12"]) == 12)
    for bad in [[], ["12", "12"], ["+1"], ["1 "], ["0x1"], ["99999999999999999999"], ["-1"]] {
        #expect(length(bad) == nil, "\(bad)")
    }
}

@Test("of an answer's headers those of the connection are dropped, and the length where the body may change")
func incoming() {
    let headers: HTTPHeaders = [
        "Content-Type": "text/plain", "Content-Length": "3", "Connection": "close", "Transfer-Encoding": "chunked",
    ]
    #expect(HeaderHygiene.incoming(headers, keepsLength: true).map(\.name) == ["content-type", "content-length"])
    #expect(HeaderHygiene.incoming(headers, keepsLength: false).map(\.name) == ["content-type"])
    let listed: HTTPHeaders = ["Connection": "keep-alive, X-Hop", "x-hop": "1", "x-kept": "2"]
    #expect(HeaderHygiene.incoming(listed, keepsLength: false).map(\.name) == ["x-kept"])
}
