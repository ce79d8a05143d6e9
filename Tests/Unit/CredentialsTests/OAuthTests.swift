import BulkheadCore
import CredentialsService
import Foundation
import Synchronization
import Testing

private let clientSecret = "client-secret-Zq7Pw9Xx28"

/// An authorization server and an API on one port. The server's answers are numbered; the API takes the tokens in `good`.
private final class Server: Sendable {
    struct State {
        var grants: [String] = []
        var calls: [String] = []
        var good: Set<String> = []
        var life = 3600
        var rotates = false
        /// Instead of a grant.
        var refusal: String?
    }

    let port: UInt16
    private let box: Box
    private let upstream: ScriptedUpstream

    init(_ prepare: (inout State) -> Void = { _ in }) throws {
        var first = State()
        prepare(&first)
        let box = Box(first)
        self.box = box
        upstream = try ScriptedUpstream { connection in
            while let head = connection.head() {
                let body = connection.body(of: head) ?? ""
                let answer = box.state.withLock {
                    head.hasPrefix("POST /token?x=1 ") ? Self.grant(&$0, head, body) : Self.api(&$0, head)
                }
                connection.answer(answer.status, [], answer.body)
            }
        }
        port = upstream.port
    }

    var now: State { box.state.withLock { $0 } }
    func change(_ body: (inout State) -> Void) { box.state.withLock { body(&$0) } }

    private final class Box: Sendable {
        let state: Mutex<State>
        init(_ first: State) { state = Mutex(first) }
    }

    private static func grant(_ state: inout State, _ head: String, _ body: String) -> (status: String, body: String) {
        state.grants.append(head + "\n\n" + body)
        if let refusal = state.refusal { return (refusal, #"{"error":"invalid_grant","error_description":"\#(clientSecret)"}"#) }
        let number = state.grants.count
        let refresh = state.rotates ? #","refresh_token":"refresh-token-number-\#(number)""# : ""
        state.good.insert("access-token-number-\(number)")
        let text =
            #"{"access_token":"access-token-number-\#(number)","token_type":"Bearer","expires_in":\#(state.life)\#(refresh)}"#
        return ("200 OK", text)
    }

    private static func api(_ state: inout State, _ head: String) -> (status: String, body: String) {
        let token =
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("authorization: bearer ") }?.dropFirst(22) ?? ""
        state.calls.append(String(token))
        return (state.good.contains(String(token)) ? "200 OK" : "401 Unauthorized", "token \(token) of \(clientSecret)")
    }
}

private func rig(
    _ server: Server, _ more: String = "", value: String = clientSecret, tokens: OAuthTokens = OAuthTokens()
) async throws -> CallRig {
    let oauth = "token_url: \"http://127.0.0.1:\(server.port)/token?x=1\", client_id: \"my client\"\(more)"
    return try await CallRig(port: server.port, "preset: oauth2, oauth: { \(oauth) }", value: value, tokens: tokens)
}

private let refreshing = ", grant: refresh_token, scopes: [a, b]"
private let stored = #"{"client_secret":"\#(clientSecret)","refresh_token":"refresh-token-number-0"}"#

private final class Clock: Sendable {
    private let time = Mutex(MonotonicTime.now())
    var now: MonotonicTime { time.withLock { $0 } }
    func move(_ by: Duration) { time.withLock { $0 = $0 + by } }
}

/// What was stored, in order.
private final class Saved: Sendable {
    private let list = Mutex<[(old: String, new: String)]>([])
    var all: [(old: String, new: String)] { list.withLock { $0 } }
    func add(_ old: SecretBytes, _ new: SecretBytes) {
        list.withLock {
            $0.append(
                (old.withBytes { String(decoding: $0, as: UTF8.self) }, new.withBytes { String(decoding: $0, as: UTF8.self) }))
        }
    }
}

private func failure(_ rig: CallRig) async -> CallError? {
    do {
        _ = try await rig.call()
        return nil
    } catch { return error as? CallError }
}

@Test("a token is fetched with the client's secret, used, and taken out of answers like the secret")
func fetched() async throws {
    let server = try Server()
    let rig = try await rig(server)
    for _ in 0 ..< 3 { #expect(try await rig.call().body == "token [redacted] of [redacted]") }
    let grant = try #require(server.now.grants.first)
    #expect(server.now.grants.count == 1 && server.now.calls == Array(repeating: "access-token-number-1", count: 3))
    let pair = Data("my%20client:\(clientSecret)".utf8).base64EncodedString()
    #expect(grant.contains("Basic \(pair)") && grant.hasSuffix("\n\ngrant_type=client_credentials"))
}

@Test("client and secret go into the form where the server wants them there")
func posted() async throws {
    let server = try Server()
    _ = try await rig(server, ", auth: post, scopes: [a, \"b/c\"]").call()
    let grant = try #require(server.now.grants.first)
    #expect(
        grant.hasSuffix("\n\ngrant_type=client_credentials&scope=a%20b%2Fc&client_id=my%20client&client_secret=\(clientSecret)"))
    #expect(!grant.lowercased().contains("authorization:"))
}

@Test("calls that come together wait for one token")
func single() async throws {
    let server = try Server()
    let rig = try await rig(server)
    try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0 ..< 50 { group.addTask { try await rig.call().status } }
        for try await status in group { #expect(status == 200) }
    }
    #expect(server.now.grants.count == 1 && server.now.calls.count == 50)
}

@Test("a token is not used in its last minute")
func skew() async throws {
    let (server, clock) = (try Server { $0.life = 300 }, Clock())
    let rig = try await rig(server, tokens: OAuthTokens(now: { clock.now }) { _, _, _ in })
    _ = try await rig.call()
    clock.move(.seconds(235))
    _ = try await rig.call()
    #expect(server.now.grants.count == 1)
    clock.move(.seconds(10))
    _ = try await rig.call()
    #expect(server.now.calls.last == "access-token-number-2" && server.now.grants.count == 2)
}

@Test("a token that the upstream refuses is replaced once, and the call sent again")
func refused() async throws {
    let (server, clock) = (try Server(), Clock())
    let rig = try await rig(server, tokens: OAuthTokens(now: { clock.now }) { _, _, _ in })
    _ = try await rig.call()
    server.change { $0.good = [] }
    #expect(try await rig.call("POST", body: ["{}"]).status == 200)
    #expect(server.now.calls.last == "access-token-number-2")
    // An upstream that refuses every token gets its 401 through, and no token for each call.
    clock.move(.seconds(60))
    for _ in 0 ..< 5 {
        server.change { $0.good = [] }
        _ = try await rig.call()
    }
    #expect(server.now.grants.count == 3)
}

@Test("a call whose body is gone is not sent again")
func refusedStream() async throws {
    let server = try Server()
    let rig = try await rig(server)
    _ = try await rig.call()
    server.change { $0.good = [] }
    #expect(try await rig.call("PUT", body: ["one", "two"]).status == 401)
}

@Test("a rotated refresh token is stored before the token that came with it is used, and used the next time")
func rotated() async throws {
    let (server, clock, saved) = (try Server { $0.rotates = true }, Clock(), Saved())
    let tokens = OAuthTokens(now: { clock.now }) { name, old, new in
        #expect(name == "UP_KEY" && server.now.calls.count == saved.all.count)
        saved.add(old, new)
    }
    let rig = try await rig(server, refreshing, value: stored, tokens: tokens)
    _ = try await rig.call()
    clock.move(.seconds(3600))
    _ = try await rig.call()
    #expect(saved.all.count == 2 && saved.all.first?.old == stored && saved.all.last?.old == saved.all.first?.new)
    #expect(saved.all.last?.new == #"{"client_secret":"\#(clientSecret)","refresh_token":"refresh-token-number-2"}"#)
    let bodies = server.now.grants.compactMap { $0.components(separatedBy: "\n\n").last }
    #expect(bodies.map { $0.contains("refresh_token=refresh-token-number-0") } == [true, false])
    #expect(bodies.last == "grant_type=refresh_token&refresh_token=refresh-token-number-1&scope=a%20b")
}

@Test("a refresh token that cannot be stored keeps its access token from being used, and is stored later")
func unsaved() async throws {
    let (server, clock, saved) = (try Server { $0.rotates = true }, Clock(), Saved())
    let isBroken = Mutex(true)
    let tokens = OAuthTokens(now: { clock.now }) { _, old, new in
        if isBroken.withLock({ $0 }) { throw CallError(.internal, reason: "vault_write", message: "no room") }
        saved.add(old, new)
    }
    let rig = try await rig(server, refreshing, value: stored, tokens: tokens)
    #expect(await failure(rig)?.reason == "vault_write" && server.now.calls.isEmpty)
    isBroken.withLock { $0 = false }
    clock.move(.seconds(2))
    #expect(try await rig.call().status == 200)
    #expect(saved.all.first?.old == stored && saved.all.first?.new.contains("refresh-token-number-1") == true)
    #expect(server.now.grants.last?.contains("refresh_token=refresh-token-number-1") == true)
}

@Test(
    "a server that gives no token is named, its words and the secret are not", arguments: ["400 Bad Request", "503 Unavailable"])
func noToken(_ status: String) async throws {
    let (server, clock) = (try Server { $0.refusal = status }, Clock())
    let rig = try await rig(server, tokens: OAuthTokens(now: { clock.now }) { _, _, _ in })
    let error = try #require(await failure(rig))
    #expect(error.reason == (status.hasPrefix("400") ? "secret_refused" : "upstream_error") && error.notProcessed)
    #expect(error.message.contains("127.0.0.1:\(server.port)") && !error.message.contains(clientSecret))
    _ = await failure(rig)
    #expect(server.now.grants.count == 1 && server.now.calls.isEmpty)
    server.change { $0.refusal = nil }
    clock.move(.seconds(2))
    #expect(try await rig.call().status == 200)
}

@Test("a stored value that the grant cannot use is refused before anything goes out")
func unusable() async throws {
    let server = try Server()
    let error = await failure(try await rig(server, refreshing, value: "no-json-at-all"))
    #expect(error?.reason == "secret_refused" && server.now.grants.isEmpty && server.now.calls.isEmpty)
}
