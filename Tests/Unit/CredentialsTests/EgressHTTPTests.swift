import BulkheadCore
import CredentialsService
import Foundation
import NIOCore
import Testing

private func answering(_ text: String) throws -> ScriptedUpstream {
    try ScriptedUpstream { connection in
        while connection.head() != nil { connection.write(text) }
    }
}

private func sent(_ upstream: ScriptedUpstream, _ method: String = "GET") async throws -> EgressRig.Outcome {
    await (try EgressRig()).send(try EgressRig.origin("http://127.0.0.1:\(upstream.port)"), method)
}

@Test(
    "an answer whose end two parties could see at different places is none",
    arguments: [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 3, 3\r\n\r\nabc", "Content-Length: -1\r\n\r\n", "Content-Length: 0x3\r\n\r\nabc",
        "Content-Length : 3\r\n\r\nabc",
    ])
func ambiguous(_ rest: String) async throws {
    let error = try #require(await sent(try answering("HTTP/1.1 200 OK\r\n" + rest)).error)
    #expect(error.reason == "upstream_error" && !error.notProcessed)
}

@Test("bytes beyond an answer never become the answer to the next request")
func surplus() async throws {
    let upstream = try ScriptedUpstream { connection in
        guard let head = connection.head() else { return }
        // In one write: what comes after the next request was sent cannot be told from its answer, by anybody.
        let forged = head.contains("/first") ? "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged" : ""
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + forged)
        while connection.head() != nil { connection.answer("200 OK", [], "late") }
    }
    let rig = try EgressRig()
    let origin = try EgressRig.origin("http://127.0.0.1:\(upstream.port)")
    #expect(await rig.send(origin, "GET", "/first").body == "one")
    #expect(await rig.send(origin, "GET", "/second").body != "forged")
}

@Test("a head beyond its bounds is no answer", arguments: [true, false])
func bigHead(_ isMany: Bool) async throws {
    let fields = isMany ? String(repeating: "A: b\r\n", count: 300) : "A: \(String(repeating: "x", count: 70_000))\r\n"
    let error = try #require(await sent(try answering("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 0\r\n\r\n")).error)
    #expect(error.reason == "upstream_error" && error.message.contains("64 KiB"))
}

@Test("interim answers are not passed on; status text and trailers are")
func interim() async throws {
    let outcome = try await sent(
        try answering(
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Quite Right\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"))
    #expect(outcome.status == 200 && outcome.reason == "Quite Right" && outcome.body == "abc")
    #expect(outcome.headers["link"] == nil && outcome.trailers == ["X-Sum": "7"])
}

@Test(
    "answers without a body end with their head, whatever length they announce",
    arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)])
func bodiless(_ method: String, _ status: Int) async throws {
    let upstream = try answering("HTTP/1.1 \(status) X\r\n\(status == 204 ? "" : "Content-Length: 9\r\n")\r\n")
    let rig = try EgressRig()
    let origin = try EgressRig.origin("http://127.0.0.1:\(upstream.port)")
    for _ in 0 ..< 2 {
        let outcome = await rig.send(origin, method)
        #expect(outcome.status == status && outcome.body.isEmpty && outcome.error == nil)
    }
}

@Test("an answer that ends with its connection is whole; one that is cut off is not")
func untilClose() async throws {
    let open = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("HTTP/1.1 200 OK\r\n\r\nall of it")
    }
    #expect(try await sent(open).body == "all of it")
    let cut = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    }
    #expect(try await sent(cut).error?.reason == "stream_broken")
}

@Test("a secret with a line end breaks no head: nothing is sent")
func brokenSecret() async throws {
    let upstream = try ScriptedUpstream { connection in
        if connection.head() != nil { Issue.record("the request was sent") }
    }
    let secret = SecretText([.secret(SecretBytes(Array("a\r\nX-Evil: 1".utf8)))])
    let outcome = await (try EgressRig()).send(
        try EgressRig.origin("http://127.0.0.1:\(upstream.port)"), headers: [OutboundRequest.Header("x-key", secret)])
    #expect(outcome.error?.code == .invalidArgument && outcome.error?.notProcessed == true)
}

@Test("a mute upstream is given up after its connect timeout, TLS included")
func muteTLS() async throws {
    let upstream = try ScriptedUpstream { $0.untilClosed() }
    let begun = MonotonicTime.now()
    let outcome = await (try EgressRig(["up.test": ["127.0.0.1"]])).send(
        try EgressRig.origin("https://up.test:\(upstream.port)"), timeout: .milliseconds(200))
    #expect(outcome.error?.reason == "upstream_unreachable" && outcome.error?.notProcessed == true)
    #expect(MonotonicTime.now() - begun < .seconds(3))
}

// MARK: the proxy

private func proxy(_ answer: String, to port: Int? = nil) throws -> ScriptedUpstream {
    try ScriptedUpstream { connection in
        guard let head = connection.head() else { return }
        #expect(head.hasPrefix("CONNECT up.test:") && !head.contains("sk-canary"))
        connection.write(answer)
        if let port { connection.relay(to: port) } else { connection.untilClosed() }
    }
}

@Test("a proxy is asked for a way through, and sees neither the request nor the secret")
func throughProxy() async throws {
    let upstream = try await SecureUpstream("good")
    let proxy = try proxy("HTTP/1.1 200 Connection established\r\n\r\n", to: upstream.port)
    let rig = try EgressRig(proxy: "http://127.0.0.1:\(proxy.port)")
    let secret = SecretText([.secret(SecretBytes(Array("sk-canary".utf8)))])
    let pins = [try TestCertificates.shared.get().pin("good")]
    let origin = try EgressRig.origin("https://up.test:\(upstream.port)", allowsPrivate: false, pins: pins)
    let outcome = await rig.send(origin, headers: [OutboundRequest.Header("x-key", secret)])
    #expect(outcome.status == 200 && upstream.seen.requests == ["/x"])
}

@Test("a proxy cannot pass for the origin")
func falseProxy() async throws {
    let upstream = try await SecureUpstream("other")
    let proxy = try proxy("HTTP/1.1 200 OK\r\n\r\n", to: upstream.port)
    let rig = try EgressRig(proxy: "http://127.0.0.1:\(proxy.port)")
    #expect(await rig.send(try EgressRig.origin("https://up.test:443")).error?.reason == "upstream_unreachable")
    #expect(upstream.seen.bytes == 0)
}

@Test(
    "what a proxy says but yes is a refusal",
    arguments: [
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "hello\r\n\r\n",
    ])
func refusingProxy(_ answer: String) async throws {
    let proxy = try proxy(answer)
    let rig = try EgressRig(proxy: "http://127.0.0.1:\(proxy.port)")
    let error = try #require(await rig.send(try EgressRig.origin("http://up.test:81")).error)
    #expect(error.reason == "upstream_unreachable" && error.message.contains("proxy"))
}
