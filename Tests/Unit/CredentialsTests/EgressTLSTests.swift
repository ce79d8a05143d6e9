import BulkheadCore
import CredentialsService
import NIOCore
import NIOSSL
import Testing

private let names = ["up.test": ["127.0.0.1"]]

@Test(
    "a certificate that is not for this host, not in date or not trusted ends the call before a byte of it is sent",
    arguments: ["other", "expired", "self"], [false, true])
func badCertificates(_ certificate: String, _ isPinned: Bool) async throws {
    let upstream = try await SecureUpstream(certificate)
    let pins = isPinned ? [try TestCertificates.shared.get().pin("ca")] : []
    let outcome = await (try EgressRig(names)).send(try EgressRig.origin("https://up.test:\(upstream.port)", pins: pins))
    let error = try #require(outcome.error)
    #expect(error.reason == "upstream_unreachable" && error.code == .unavailable && error.message.contains("TLS"))
    #expect(upstream.seen.bytes == 0)
}

@Test("an authority that is not trusted ends the call")
func unknownAuthority() async throws {
    let upstream = try await SecureUpstream("good")
    let rig = try EgressRig(names, trustsTestAuthority: false)
    #expect(await rig.send(try EgressRig.origin("https://up.test:\(upstream.port)")).error?.reason == "upstream_unreachable")
    #expect(upstream.seen.bytes == 0)
}

@Test("the oldest TLS allowed is a property of the destination")
func floors() async throws {
    let rig = try EgressRig(names)
    let ancient = try await SecureUpstream("good") { tls in
        tls.minimumTLSVersion = .tlsv1
        tls.maximumTLSVersion = .tlsv11
    }
    #expect(await rig.send(try EgressRig.origin("https://up.test:\(ancient.port)")).error?.reason == "upstream_unreachable")
    let old = try await SecureUpstream("good") { $0.maximumTLSVersion = .tlsv12 }
    let strict = try EgressRig.origin("https://up.test:\(old.port)", minimumTLS: .v13)
    #expect(await rig.send(strict).error?.reason == "upstream_unreachable")
    #expect(ancient.seen.bytes == 0 && old.seen.bytes == 0)
    #expect(await rig.send(try EgressRig.origin("https://up.test:\(old.port)")).status == 200)
}

@Test("a pin is met by the server's key or by its authority's, and by nothing else")
func pins() async throws {
    let (files, rig) = (try TestCertificates.shared.get(), try EgressRig(names))
    for name in ["good", "ca"] {
        let upstream = try await SecureUpstream("good")
        let pin = "sha256/" + (try files.pin(name))
        #expect(await rig.send(try EgressRig.origin("https://up.test:\(upstream.port)", pins: [pin])).status == 200)
    }
    let upstream = try await SecureUpstream("good")
    let other = "sha256/" + String(repeating: "A", count: 43) + "="
    let error = try #require(await rig.send(try EgressRig.origin("https://up.test:\(upstream.port)", pins: [other])).error)
    #expect(error.reason == "upstream_unreachable" && error.message.contains("pinned") && upstream.seen.bytes == 0)
}

@Test("an address may be an https origin when the certificate names it")
func addressOrigin() async throws {
    let upstream = try await SecureUpstream("good")
    #expect(await (try EgressRig()).send(try EgressRig.origin("https://127.0.0.1:\(upstream.port)")).status == 200)
    let other = try await SecureUpstream("other")
    let outcome = await (try EgressRig()).send(try EgressRig.origin("https://127.0.0.1:\(other.port)"))
    #expect(outcome.error?.reason == "upstream_unreachable" && other.seen.bytes == 0)
}

@Test("calls share a connection")
func kept() async throws {
    let (upstream, rig) = (try await SecureUpstream("good"), try EgressRig(names))
    let origin = try EgressRig.origin("https://up.test:\(upstream.port)")
    for number in 0 ..< 5 {
        let outcome = await rig.send(origin, "POST", "/\(number)", body: "body")
        #expect(outcome.body == "POST /\(number) host=up.test:\(upstream.port) body" && outcome.reason == "OK")
    }
    #expect(upstream.seen.connections == 1)
}

// MARK: HTTP/2

@Test("HTTP/2 is spoken where it is offered: calls share a connection, interim answers are dropped, trailers come")
func http2() async throws {
    let (upstream, rig) = (try await SecureUpstream("good", isHTTP2: true), try EgressRig(names))
    let origin = try EgressRig.origin("https://up.test:\(upstream.port)")
    await withTaskGroup(of: Void.self) { group in
        for number in 0 ..< 20 {
            group.addTask {
                let outcome = await rig.send(origin, "POST", "/\(number)", body: "b")
                #expect(outcome.status == 200 && outcome.body == "h2 /\(number) b" && outcome.trailers == ["x-trailer": "t"])
                #expect(outcome.headers["x-interim"] == "200")
            }
        }
    }
    #expect(upstream.seen.connections == 1)
}

@Test("HPACK never remembers a secret")
func neverIndexed() async throws {
    let (upstream, rig) = (try await SecureUpstream("good", isHTTP2: true), try EgressRig(names))
    let secret = SecretText([.text("Bearer "), .secret(SecretBytes(Array("sk-canary".utf8)))])
    let headers = [OutboundRequest.Header("authorization", secret), OutboundRequest.Header("x-plain", SecretText("p"))]
    #expect(await rig.send(try EgressRig.origin("https://up.test:\(upstream.port)"), headers: headers).status == 200)
    #expect(upstream.seen.neverIndexed == ["authorization"])
}

@Test("a stream that the other side refused is sent once more")
func refusedHTTP2Stream() async throws {
    let (upstream, rig) = (try await SecureUpstream("good", isHTTP2: true), try EgressRig(names))
    let outcome = await rig.send(try EgressRig.origin("https://up.test:\(upstream.port)"), "POST", "/refuse", body: "b")
    #expect(outcome.body == "h2 /refuse b" && outcome.wasRepeated)
}

@Test("after GOAWAY calls go to a new connection")
func goAway() async throws {
    let (upstream, rig) = (try await SecureUpstream("good", isHTTP2: true), try EgressRig(names))
    let origin = try EgressRig.origin("https://up.test:\(upstream.port)")
    #expect(await rig.send(origin, "GET", "/last").status == 200)
    #expect(await rig.send(origin).status == 200)
    #expect(await rig.send(origin).status == 200)
    #expect(upstream.seen.connections == 2)
}

@Test("a call that is given up resets its stream, and its connection goes on")
func resetStream() async throws {
    let (upstream, rig) = (try await SecureUpstream("good", isHTTP2: true), try EgressRig(names))
    let origin = try EgressRig.origin("https://up.test:\(upstream.port)")
    #expect(await rig.send(origin).status == 200)
    let exchange = UpstreamExchange(rig.client)
    exchange.start(OutboundRequest(method: "GET", target: SecretText("/hang")), to: origin, connectTimeout: .seconds(10))
    while upstream.seen.requests.last != "/hang" { await Task.yield() }
    exchange.cancel()
    while upstream.seen.resets == 0 { await Task.yield() }
    #expect(await rig.send(origin).status == 200)
    #expect(upstream.seen.connections == 1)
}
