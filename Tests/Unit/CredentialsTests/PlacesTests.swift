import BulkheadConfig
import BulkheadCore
import CredentialsService
import NIOCore
import Testing

/// Holds what has to be escaped in each place.
private let value = #"k"1\2=3&4+5%6/7"#
private let pathSafe = "12345:Ab-Cd_Ef"

private func sent(
    _ kind: Preset, _ field: String, value: String = value, template: String? = nil, also: [InjectionPlace]? = nil,
    target: String = "/x", headers: [(String, String)] = [], body: String? = nil
) throws -> OutboundRequest {
    var spec = InjectionSpec(preset: kind, field: field)
    spec.template = template
    spec.also = also
    var request = OutboundRequest(
        method: "POST", target: SecretText(target), headers: headers.map { OutboundRequest.Header($0.0, SecretText($0.1)) },
        body: body.map { .whole(ByteBuffer(string: $0)) } ?? .none)
    try Injection(spec, value: SecretBytes(Array(value.utf8))).apply(to: &request)
    return request
}

private func body(_ request: OutboundRequest) -> String {
    if case .whole(let bytes) = request.body { return String(buffer: bytes) }
    return ""
}

private func refusal(_ attempt: () throws -> OutboundRequest) -> CallError? {
    do {
        _ = try attempt()
        return nil
    } catch { return error as? CallError }
}

private let quoted = #""k\"1\\2=3&4+5%6/7""#

@Test(
    "a secret replaces what stands at its place in a JSON body, and nothing else changes",
    arguments: [
        (#"{"key":"mine"}"#, "/key", #"{"key":S}"#),
        (#"{ "a" : 1.50 , "key" : {"x":[1]} }"#, "/key", #"{ "a" : 1.50 , "key" : S }"#),
        (#"{}"#, "/key", #"{"key":S}"#), (#"{"a":1}"#, "/key", #"{"a":1,"key":S}"#),
        (#"{"auth":{"n":18446744073709551615}}"#, "/auth/key", #"{"auth":{"n":18446744073709551615,"key":S}}"#),
        (#"{"n":99999999999999999999999.50}"#, "/key", #"{"n":99999999999999999999999.50,"key":S}"#),
        (#"[0, "x", [true]]"#, "/1", #"[0, S, [true]]"#), (#"[0, "x", [true]]"#, "/2/0", #"[0, "x", [S]]"#),
        (#"{"a/b":{"m~n":null}}"#, "/a~1b/m~0n", #"{"a/b":{"m~n":S}}"#), (#"{"k\u0065y":1}"#, "/key", #"{"k\u0065y":S}"#),
        (#"{"key":"a\"}b"}"#, "/key", #"{"key":S}"#), (#"{"":{"":1}}"#, "//", #"{"":{"":S}}"#),
    ])
func json(_ before: String, _ pointer: String, _ after: String) throws {
    let request = try sent(.json, pointer, body: before)
    #expect(body(request) == after.replacing("S", with: quoted))
    #expect(request.headers.contains { $0.name == "content-type" && $0.value.joined == "application/json" })
}

@Test(
    "a JSON body that readers could understand in two ways, or that has no such place, is refused",
    arguments: [
        #"{"key":1,"key":2}"#, #"{"key":1,"k\u0065y":2}"#, #"{"a":{"b":1,"b":2}}"#, "", "7", #""text""#, "{", #"{"a":1}{}"#,
        #"{"a":1e999999}"#, "{\"a\":\"\u{1}\"}", #"[1]"#, #"{"key":1}"# + "x",
        String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
    ])
func jsonRefused(_ text: String) {
    let error = refusal { try sent(.json, "/key", body: text) }
    #expect(error?.code == .invalidArgument, "\(text)")
}

@Test("bytes that are no UTF-8 are no JSON body")
func jsonBytes() {
    var request = OutboundRequest(
        method: "POST", target: SecretText("/x"), body: .whole(ByteBuffer(bytes: [123, 34, 255, 34, 58, 49, 125])))
    let injection = Injection(InjectionSpec(preset: .json, field: "/key"), value: SecretBytes(Array(value.utf8)))
    #expect(throws: CallError.self) { try injection.apply(to: &request) }
}

@Test("a JSON body has to say that it is one, and may not be coded")
func jsonType() throws {
    #expect(refusal { try sent(.json, "/key", headers: [("Content-Type", "text/plain")], body: "{}") } != nil)
    #expect(refusal { try sent(.json, "/key", headers: [("Content-Encoding", "gzip")], body: "{}") } != nil)
    #expect(try body(sent(.json, "/key", headers: [("Content-Type", "application/vnd.api+JSON")], body: "{}")).contains(quoted))
}

@Test("a secret becomes an encoded form field, and a caller's own of that name is refused")
func form() throws {
    #expect(try body(sent(.form, "key", body: "a=1&b=2")) == "a=1&b=2&key=k%221%5C2%3D3%264%2B5%256%2F7")
    #expect(try body(sent(.form, "key")) == "key=k%221%5C2%3D3%264%2B5%256%2F7")
    for own in ["key=mine", "a=1&key", "k%65y=mine", "%6B%65%79=", "key%3=1"] {
        #expect(refusal { try sent(.form, "key", body: own) }?.code == .invalidArgument, "\(own)")
    }
    #expect(refusal { try sent(.form, "key", headers: [("content-type", "application/json")], body: "{}") } != nil)
}

@Test("a secret fills the hole of a path, when it can stand in one")
func path() throws {
    let request = try sent(.path, "/bot{secret}/v1", value: pathSafe, target: "/send?x=1")
    #expect(request.target.joined == "/bot12345:Ab-Cd_Ef/v1/send?x=1")
    for unsafe in ["has/slash-in-it", "has%2fescape", "has?query", "has#fragment", "has;params", "../../etc/x", #"back\slash"#] {
        let error = refusal { try sent(.path, "/bot{secret}", value: unsafe) }
        #expect(error?.code == .failedPrecondition && error?.message.contains(unsafe) == false, "\(unsafe)")
    }
}

@Test("a template stands around the secret, encoded like it")
func templates() throws {
    let header = try sent(.header, "X-Auth", template: "Token {secret}!")
    #expect(header.headers.contains { $0.name == "x-auth" && $0.value.joined == "Token \(value)!" })
    #expect(try body(sent(.json, "/key", template: "Token \"{secret}\"", body: "{}")).hasPrefix(#"{"key":"Token \"k\"1"#))
    #expect(try sent(.query, "key", value: pathSafe, template: "a b{secret}").target.joined == "/x?key=a%20b12345%3AAb-Cd_Ef")
}

@Test("one secret goes into several places of a request")
func several() throws {
    let also = [InjectionPlace(.header, "X-Key"), InjectionPlace(.json, "/auth/key"), InjectionPlace(.path, "/k/{secret}")]
    let request = try sent(.query, "key", value: pathSafe, also: also, target: "/x?a=1", body: #"{"auth":{}}"#)
    #expect(request.target.joined == "/k/12345:Ab-Cd_Ef/x?a=1&key=12345%3AAb-Cd_Ef")
    #expect(request.headers.contains { $0.name == "x-key" && $0.value.joined == pathSafe })
    #expect(body(request) == #"{"auth":{"key":"12345:Ab-Cd_Ef"}}"#)
    #expect(refusal { try sent(.query, "key", value: pathSafe, also: also, target: "/x?key=1", body: "{}") } != nil)
}

@Test("names and placeholders in a request stay as they are")
func literal() throws {
    let request = try sent(
        .header, "X-Key", target: "/{secret}?q={secret}", headers: [("X-Other", "{secret} ECHO_KEY $ECHO_KEY")], body: "{secret}")
    #expect(request.target.joined == "/{secret}?q={secret}" && body(request) == "{secret}")
    #expect(request.headers.contains { $0.value.joined == "{secret} ECHO_KEY $ECHO_KEY" })
}

@Test("a caller's header in the secret's place is dropped, however it is written")
func ownHeader() throws {
    let request = try sent(.header, "X-Key", headers: [("x-KEY", "mine"), ("X-Key", "mine")])
    #expect(request.headers.filter { $0.name.lowercased() == "x-key" }.map(\.value.joined) == [value])
}

@Test("packed answers are asked for last, and never for a part of a body")
func encodings() throws {
    func asked(_ headers: [(String, String)]) throws -> [String] {
        try sent(.header, "X-Key", headers: headers).headers.filter { $0.name == "accept-encoding" }.map(\.value.joined)
    }
    #expect(try asked([("accept-encoding", "br")]) == ["identity, gzip;q=0.5"])
    #expect(try asked([("Range", "bytes=0-9")]) == ["identity"])
}

// MARK: the configuration

private func problems(_ keys: String) -> Int {
    let entry = "base_url: \"https://api.example.com\", secret: A_KEY, \(keys)"
    do {
        _ = try loadConfiguration(
            CredentialsConfiguration.self, text: "credentials: { destinations: { one: { \(entry) } } }", file: "f")
        return 0
    } catch let problems as ConfigProblems {
        return problems.problems.count
    } catch { return -1 }
}

@Test(
    "each style of injection can be configured",
    arguments: [
        "preset: header, header: X-Key, value: \"Token {secret}\"", "preset: json, json: /auth/key", "preset: form, form: key",
        "preset: path, path: \"/bot{secret}\"", "preset: query, query: key, header: X-Key, json: /k",
        "preset: aws-sigv4, region: us-east-1", "preset: aws-sigv4, region: eu-west-1, service: s3", "preset: standard-webhooks",
        "preset: hmac, header: X-Sign, value: \"sha256={signature}\"",
        "preset: hmac, header: X-Sign, signs: timestamp.body, timestamp_header: X-Time, algorithm: sha512, encoding: base64",
        "preset: oauth2, oauth: { token_url: \"https://id.example.com/token\", client_id: me, scopes: [a, b] }",
        "preset: oauth2, oauth: { token_url: \"https://id.example.com/token\", client_id: me, grant: refresh_token, auth: post }",
    ])
func configured(_ keys: String) { #expect(problems(keys) == 0) }

@Test(
    "combinations without meaning are reported",
    arguments: [
        "preset: json", "preset: json, json: no/pointer", "preset: json, json: \"\"", "preset: form",
        "preset: path, path: /nohole",
        "preset: path, path: \"/{secret}/{secret}\"", "preset: path, path: \"/a/../{secret}\"", "preset: bearer, json: /key",
        "preset: header, header: X, value: nohole", "preset: header, header: X, value: \"{secret}{secret}\"",
        "preset: bearer, value: \"x {secret}\"", "preset: aws-sigv4", "preset: aws-sigv4, region: \"us east\"",
        "preset: bearer, region: us-east-1", "preset: hmac", "preset: hmac, header: X-Sign, signs: timestamp.body",
        "preset: hmac, header: X-Sign, value: fixed", "preset: bearer, algorithm: sha256", "preset: oauth2",
        "preset: bearer, oauth: { token_url: \"https://id.example.com/token\", client_id: me }",
        "preset: oauth2, oauth: { token_url: \"http://id.example.com/token\", client_id: me }",
        "preset: oauth2, oauth: { token_url: \"https://127.0.0.1/token\", client_id: me }",
    ])
func misconfigured(_ keys: String) { #expect(problems(keys) > 0) }
