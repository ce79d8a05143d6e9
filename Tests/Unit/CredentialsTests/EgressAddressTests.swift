import CredentialsService
import NIOCore
import Testing

@Test(
    "addresses are told apart",
    arguments: [
        (
            NetworkKind.outside,
            [
                "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1",
                "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1",
            ]
        ),
        (
            .inside,
            [
                "127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
                "100.127.255.255", "::1", "fc00::1", "fdff::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
            ]
        ),
        (
            .forbidden,
            [
                "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1",
                "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
                "240.0.0.1",
                "255.255.255.255", "::", "::2", "::7f00:1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1",
                "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2001:20::1",
                "100::1", "3fff::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "4000::1",
            ]
        ),
    ])
func kinds(_ kind: NetworkKind, _ addresses: [String]) throws {
    for address in addresses {
        #expect(NetworkKind(host: address) == kind, "\(address)")
        #expect(NetworkKind(try SocketAddress(ipAddress: address, port: 1)) == kind, "\(address)")
    }
}

@Test(
    "a name that leads to one address that is not allowed is refused whole, without a connection",
    arguments: [
        (["127.0.0.1"], false), (["1.1.1.1", "10.0.0.1"], false), (["169.254.169.254"], true), (["fd00:ec2::254"], true),
        (["127.0.0.1", "169.254.169.254"], true), (["::ffff:127.0.0.1"], false), (["0.0.0.0"], true), (["64:ff9b::7f00:1"], true),
    ])
func refusedAddresses(_ addresses: [String], _ allowsPrivate: Bool) async throws {
    let upstream = try ScriptedUpstream { _ in Issue.record("a connection was made") }
    let rig = try EgressRig(["up.test": addresses])
    let outcome = await rig.send(try EgressRig.origin("http://up.test:\(upstream.port)", allowsPrivate: allowsPrivate))
    let error = try #require(outcome.error)
    #expect(error.reason == "destination_denied" && error.code == .permissionDenied && error.notProcessed)
    #expect(error.message.contains("up.test") && (error.message.contains("private") || error.message.contains("reserved")))
}

@Test("a name is resolved and vetted anew for each connection: one that turns inside is refused")
func rebinding() async throws {
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.answer("200 OK", ["Connection: close"], "one")
    }
    let rig = try EgressRig("up.test", answers: [["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
    let origin = try EgressRig.origin("http://up.test:\(upstream.port)")
    #expect(await rig.send(origin).body == "one")
    #expect(await rig.send(origin).error?.reason == "destination_denied")
}

@Test("a name that does not resolve is named so, and an old answer is not used")
func unresolved() async throws {
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.answer("200 OK", ["Connection: close"], "one")
    }
    let rig = try EgressRig("up.test", answers: [["127.0.0.1"], []])
    let origin = try EgressRig.origin("http://up.test:\(upstream.port)")
    #expect(await rig.send(origin).body == "one")
    let error = try #require(await rig.send(origin).error)
    #expect(error.reason == "upstream_unreachable" && error.message.contains("cannot be resolved") && error.notProcessed)
}

@Test("a peer that is not the vetted address gets no byte")
func otherPeer() async throws {
    let upstream = try ScriptedUpstream { connection in
        if connection.head() != nil { Issue.record("the request was sent") }
    }
    let rig = try EgressRig(["up.test": ["127.0.0.1"]], peer: { _ in try? SocketAddress(ipAddress: "127.0.0.2", port: 1) })
    let error = try #require(await rig.send(try EgressRig.origin("http://up.test:\(upstream.port)")).error)
    #expect(error.reason == "upstream_unreachable" && error.message.contains("another address"))
}

@Test("addresses that do not answer are passed over")
func nextAddress() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", [], "found") }
    }
    let rig = try EgressRig(["up.test": ["::1", "127.0.0.2", "127.0.0.1"]])
    #expect(await rig.send(try EgressRig.origin("http://up.test:\(upstream.port)")).body == "found")
}

@Test("a literal address that is forbidden is refused, through a proxy too")
func literal() async throws {
    for proxy in [nil, "http://127.0.0.1:9"] {
        let rig = try EgressRig(proxy: proxy)
        let outcome = await rig.send(try EgressRig.origin("http://169.254.169.254"))
        #expect(outcome.error?.reason == "destination_denied")
    }
}
