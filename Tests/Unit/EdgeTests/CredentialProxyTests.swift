import BulkheadAPI
import BulkheadJSON
import EdgeService
import HTTPTypes
import NIOCore
import NIOHTTP1
import Testing

@Suite("Credential proxy")
struct CredentialProxyTests {
    @Test(
        "A proxied target names its destination; the rest is not looked at",
        arguments: [
            ("/v1/proxy/a/x/y", "a"), ("/v1/proxy/a", "a"), ("/v1/proxy/a/", "a"), ("/v1/proxy/a//%2F..", "a"),
            ("/v1/proxy/", ""),
            ("/v1/proxy/%2e%2e/x", "%2e%2e"), ("/v1/proxy/../x", ".."),
        ])
    func routes(_ path: String, _ name: String) {
        #expect(Routes.match(path[...]) == RouteMatch(endpoint: .proxy, argument: name))
        #expect(Routes.errorShape(path[...], isAnthropicClient: true) == .problem)
    }

    @Test("A described call has a destination and nothing behind it")
    func callRoutes() {
        #expect(Routes.match("/v1/call/a") == RouteMatch(endpoint: .call, argument: "a"))
        #expect(Routes.match("/v1/call") == RouteMatch(endpoint: .destinations))
        #expect(Routes.match("/v1/call/a/b") == nil)
        #expect(Routes.match("/call/a") == nil && Routes.match("/proxy/a/x") == nil, "only model routes go without /v1")
        #expect(Routes.errorShape("/v1/call/a", isAnthropicClient: false) == .problem)
        #expect(Routes.errorShape("/v1/call", isAnthropicClient: false) == .problem)
    }

    @Test(
        "Path and query go on as the bytes they came in",
        arguments: [
            ("/v1/proxy/a", "/", nil), ("/v1/proxy/a?q", "/", "q"), ("/v1/proxy/a/", "/", nil),
            ("/v1/proxy/a//x/../%2F", "//x/../%2F", nil),
            ("/v1/proxy/a/x?b=2&a=1%20x?y", "/x", "b=2&a=1%20x?y"), ("/v1/proxy/a/x?", "/x", ""),
            ("/v1/proxy/a/x#f?g", "/x#f", "g"),
        ] as [(String, String, String?)])
    func places(_ target: String, _ path: String, _ query: String?) {
        let place = ForwardedRequest.place(target)
        #expect(place.path == path && place.query == query)
    }

    @Test("All headers go on but those of the connection, of this product, and the key that was shown here")
    func requestHeaders() {
        let fields: HTTPHeaders = [
            "Host": "edge", "Authorization": "Bearer bh_key", "X-Api-Key": "bh_key", "X-Custom": "1", "Cookie": "c",
            "TE": "trailers",
            "Connection": "close, X-Hop", "x-hop": "1", "Expect": "100-continue", "Proxy-Authorization": "p",
            "X-Bulkhead-User": "u",
            "Idempotency-Key": "k", "Content-Length": "3", "Transfer-Encoding": "chunked", "Upgrade": "h2c",
        ]
        let kept = ForwardedRequest.headers(fields, key: "bh_key")
        #expect(kept.map(\.name) == ["X-Custom", "Cookie", "Idempotency-Key", "Content-Length"])
    }

    @Test("A credential of the caller's own is left to the destination's policy")
    func ownCredential() {
        let fields: HTTPHeaders = ["X-Api-Key": "bh_key", "Authorization": "Basic dTpw"]
        #expect(ForwardedRequest.headers(fields, key: "bh_key").map(\.name) == ["Authorization"])
    }

    @Test("An answer's headers come through but those that are the edge's or the connection's")
    func answerHeaders() {
        let headers = [
            ("content-type", "a/b"), ("set-cookie", "a"), ("Set-Cookie", "b"), ("x-request-id", "up"), ("request-id", "up2"),
            ("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "1"), ("x-frame-options", "ALLOWALL"), ("bad name", "1"),
            ("strict-transport-security", "1"), ("x-bulkhead-cost-usd", "9"), ("proxy-authenticate", "x"),
            ("content-length", "7"),
        ].map { CredentialsAPI.Header(name: $0.0, value: $0.1) }
        let fields = ForwardedAnswer.fields(headers)
        let lines = fields.map { "\($0.name.canonicalName): \($0.value)" }
        #expect(lines == ["content-type: a/b", "set-cookie: a", "set-cookie: b", "x-bulkhead-upstream-request-id: up"])
    }

    @Test("A call is decoded: the query encoded, an object sent as JSON, a text as it is")
    func described() throws {
        let call = try DescribedCall.decode(
            try JSON.parse(
                #"{"method":"POST","path":"/x","query":{"a":"two words","l":["ü",1,true]},"headers":{"X-A":"1","Host":"h","Content-Length":"3"},"body":{"n":1}}"#
            ))
        #expect(call.method == "POST" && call.path == "/x" && call.query == "a=two%20words&l=%C3%BC&l=1&l=true")
        #expect(call.headers.map { "\($0.name): \($0.value)" } == ["X-A: 1", "content-type: application/json"])
        #expect(call.body.map { String(buffer: $0) } == #"{"n":1}"#)
        let text = try DescribedCall.decode(try JSON.parse(#"{"body":"a,b","headers":{"Content-Type":"text/csv"}}"#))
        #expect(text.method == "GET" && text.path == "/" && text.query == nil && text.headers.count == 1)
        #expect(text.body.map { String(buffer: $0) } == "a,b")
    }

    @Test(
        "A wrong member is named",
        arguments: [
            ("[]", "body"), (#"{"methd":"GET"}"#, "methd"), (#"{"method":1}"#, "method"), (#"{"path":{}}"#, "path"),
            (#"{"query":"a"}"#, "query"), (#"{"query":{"a":null}}"#, "query.a"), (#"{"query":{"a":[[]]}}"#, "query.a"),
            (#"{"headers":{"x":7}}"#, "headers.x"), (#"{"body":1}"#, "body"),
        ])
    func wrong(_ text: String, _ param: String) throws {
        let json = try JSON.parse(text)
        let error = #expect(throws: EdgeError.self) { try DescribedCall.decode(json) }
        #expect(error?.status == 400 && error?.param == param && error?.message.contains(param) == true)
    }

    private static func entry(_ name: String, isForEdge: Bool = true) -> DestinationEntry {
        DestinationEntry(
            name: name, baseURL: "https://h", secret: "K", preset: "bearer", methods: [], paths: [], isForEdge: isForEdge)
    }

    @Test("A name nobody configured is 404, one the key does not have 403, one only the key has is asked for")
    func permission() throws {
        let directory = DestinationDirectory([Self.entry("stripe"), Self.entry("inner", isForEdge: false)])
        try directory.check("stripe", allowed: ["stripe"])
        try directory.check("newer", allowed: ["newer"])
        let refused = #expect(throws: EdgeError.self) { try directory.check("stripe", allowed: ["other"]) }
        #expect(refused?.status == 403 && refused?.code == "destination_not_allowed")
        let unknown = #expect(throws: EdgeError.self) { try directory.check("nowhere", allowed: ["stripe"]) }
        #expect(unknown?.status == 404 && unknown?.code == "destination_unknown")
    }
}
