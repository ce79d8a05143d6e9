import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import CredentialsService
import Foundation
import NIOCore
import Testing

private let secret = "sk-Zq7-Pw9-Xx28-canary"

/// The service with one destination, `up`, and a link to call it by as `edge`.
private struct Rig {
    let link: IPCLink
    let folder: TemporaryFolder

    init(port: UInt16, secret stored: String? = secret, _ more: String = "") async throws {
        folder = try TemporaryFolder()
        let place = "base_url: \"http://127.0.0.1:\(port)\", private_network: true, callers: [edge]"
        let injects = stored == nil ? "" : ", allow_plain_http: true, secret: UP_KEY, preset: bearer"
        let text = "credentials:\n  destinations:\n    up: { \(place)\(injects)\(more) }\n"
        let loaded = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml")
        let policy = SecretPolicy(host: try #require(SealedHost("127.0.0.1:\(port)")), preset: .bearer, created: 1)
        let vault = Vault.State.open(["UP_KEY": StoredSecret(policy: policy, value: SecretBytes(Array((stored ?? "").utf8)))])
        let client = try OutboundClient.make(EgressConfiguration())
        let table = DestinationTable(loaded.service.destinations, providers: [], vault: vault)
        let service = CallService(CallSurroundings(table: table, client: client), audit: try AuditTrail(folder: folder.path))
        let loop = client.eventLoop
        link = try await InProcessTransport.connect(
            service: "credentials", methods: CredentialsMethods.serve(service), schemas: [CredentialsMethods.schema],
            link: LinkConfiguration(peer: "credentials", caller: "edge", socketPath: "", schemas: [CredentialsMethods.schema]),
            eventLoop: loop)
    }

    /// One call, its request in one message unless there is more of the body.
    func call(
        _ method: String = "GET", _ path: String = "/x", query: String? = nil, headers: [(String, String)] = [],
        body: [String] = []
    ) async throws -> Answer {
        try await CredentialsClient(link: link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
            var first = CredentialsAPI.CallRequest(destination: "up", method: method, path: path, query: query)
            first.headers = headers.map { CredentialsAPI.Header(name: $0.0, value: $0.1) }
            first.body = body.first.map { ByteBuffer(string: $0) }
            try await writer.write(first)
            for piece in body.dropFirst() { try await writer.write(CredentialsAPI.CallRequest(body: ByteBuffer(string: piece))) }
            writer.finish()
            return try await Answer(reader)
        }
    }

    func failure(_ method: String = "GET", _ path: String = "/x") async -> CallError? {
        do {
            _ = try await call(method, path)
            return nil
        } catch { return error as? CallError }
    }
}

private struct Answer: Sendable {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""

    init(_ reader: TypedReader<CredentialsAPI.CallReply>) async throws {
        while let reply = try await reader.next() {
            if let status = reply.status { self.status = status }
            for header in reply.headers { headers[header.name] = header.value }
            if let piece = reply.body { body += String(buffer: piece) }
        }
    }
}

@Test("the upstream gets the stored secret once, the destination's host, and nothing of the caller's credentials")
func injected() async throws {
    let upstream = try ScriptedUpstream { connection in
        while let head = connection.head() { connection.answer("200 OK", ["X-Kept: yes"], head) }
    }
    let rig = try await Rig(port: upstream.port)
    let headers = [
        ("Authorization", "Bearer mine"), ("X-Api-Key", "mine"), ("Host", "evil.example"), ("Connection", "authorization"),
        ("X-Custom", "kept"),
    ]
    let answer = try await rig.call("GET", "/x/echo", query: "b=2&a=1%20x", headers: headers)
    #expect(answer.status == 200 && answer.headers["x-kept"] == "yes")
    #expect(answer.body.hasPrefix("GET /x/echo?b=2&a=1%20x HTTP/1.1\r\n"))
    let sent = answer.body.lowercased()
    #expect(sent.contains("authorization: bearer [redacted]") && sent.contains("x-custom: kept"))
    #expect(sent.contains("host: 127.0.0.1:\(upstream.port)") && sent.contains("accept-encoding: identity"))
    #expect(!sent.contains("mine") && !sent.contains("evil") && !sent.contains("connection:"))
}

@Test("without a secret nothing is injected, and the answer keeps its length")
func plain() async throws {
    let upstream = try ScriptedUpstream { connection in
        while let head = connection.head() { connection.answer("201 Created", [], head) }
    }
    let answer = try await Rig(port: upstream.port, secret: nil).call(
        "POST", headers: [("Authorization", "Bearer mine")], body: ["{}"])
    #expect(answer.status == 201 && !answer.body.lowercased().contains("authorization"))
    #expect(answer.headers["content-length"] == "\(answer.body.utf8.count)")
}

@Test("pieces of a stream are passed on as they come, and a secret split between them is taken out")
func streamed() async throws {
    let seen = DispatchSemaphore(value: 0)
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Echo: \(secret)\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.chunk("data: one\n\n")
        seen.wait()
        connection.chunk("data: \(secret.prefix(9))")
        connection.chunk("\(secret.dropFirst(9)) two\n\n")
        connection.chunk("")
    }
    let rig = try await Rig(port: upstream.port)
    try await CredentialsClient(link: rig.link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
        try await writer.write(CredentialsAPI.CallRequest(destination: "up", method: "GET", path: "/x"))
        writer.finish()
        var body = ""
        // The upstream sends the rest only after the first event has arrived here.
        while let reply = try await reader.next() {
            for header in reply.headers where header.name == "x-echo" { #expect(header.value == "[redacted]") }
            if let piece = reply.body { body += String(buffer: piece) }
            if body == "data: one\n\n" { seen.signal() }
        }
        #expect(body == "data: one\n\ndata: [redacted] two\n\n")
    }
}

@Test("a body in several messages is streamed, with its length when that was announced", arguments: [true, false])
func upload(_ isAnnounced: Bool) async throws {
    let upstream = try ScriptedUpstream { connection in
        guard let head = connection.head() else { return }
        let body = connection.body(until: isAnnounced ? "end" : "0\r\n\r\n") ?? ""
        connection.answer("200 OK", [], head + "\n" + body)
    }
    let announced = isAnnounced ? [("Content-Length", "11")] : []
    let answer = try await Rig(port: upstream.port).call("PUT", headers: announced, body: ["one,", "two,", "end"])
    #expect(answer.body.lowercased().contains(isAnnounced ? "content-length: 11" : "transfer-encoding: chunked"))
    #expect(isAnnounced ? answer.body.hasSuffix("one,two,end") : answer.body.contains("one,") && answer.body.contains("end"))
}

@Test("an answer that comes before the upload ended is passed on at once")
func earlyAnswer() async throws {
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.answer("413 Too Large", ["Connection: close"], "no")
    }
    let rig = try await Rig(port: upstream.port)
    try await CredentialsClient(link: rig.link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
        var first = CredentialsAPI.CallRequest(destination: "up", method: "PUT", path: "/x", body: ByteBuffer(string: "a"))
        try await writer.write(first)
        first = CredentialsAPI.CallRequest(body: ByteBuffer(string: "b"))
        try await writer.write(first)
        // The request half stays open.
        #expect(try await reader.next()?.status == 413)
    }
}

@Test("a caller that leaves closes the connection to the upstream")
func leaving() async throws {
    let (arrived, closed) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        arrived.signal()
        connection.untilClosed()
        closed.signal()
    }
    let rig = try await Rig(port: upstream.port)
    let call = Task { try await rig.call() }
    await waited(for: arrived)
    let left = MonotonicTime.now()
    call.cancel()
    await waited(for: closed)
    #expect(MonotonicTime.now() - left < .seconds(1))
    await #expect(throws: CallError.self) { try await call.value }
}

/// Waits on a thread of its own, so that no thread of the pool is blocked.
private func waited(for semaphore: DispatchSemaphore) async {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            semaphore.wait()
            continuation.resume()
        }
    }
}

@Test("failures say what failed and where, and never with the secret")
func failures() async throws {
    let silent = try ScriptedUpstream { connection in _ = connection.head() }
    let broken = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    }
    let garbage = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("SSH-2.0-OpenSSH\r\n\r\n")
    }
    let unused = try { try ScriptedUpstream { _ in }.port }()
    let cases: [(UInt16, String, Bool)] = [
        (silent.port, "upstream_error", false), (broken.port, "stream_broken", false), (garbage.port, "upstream_error", false),
        (unused, "upstream_unreachable", true),
    ]
    for (port, reason, isUntouched) in cases {
        let error = try #require(await Rig(port: port).failure("GET", "/private/path"))
        #expect(error.reason == reason)
        #expect(error.notProcessed == isUntouched)
        #expect(error.message.contains("127.0.0.1:\(port)"))
        #expect(!error.message.contains(secret) && !error.message.contains("private"))
    }
}

@Test("an answer in a content coding is not passed on when it could hide the secret")
func coded() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", ["Content-Encoding: gzip"], "whatever") }
    }
    #expect(await (try Rig(port: upstream.port)).failure()?.reason == "upstream_error")
    #expect(try await Rig(port: upstream.port, secret: nil).call().body == "whatever")
}

@Test("redirects are passed on, not followed", arguments: [301, 302, 303, 307, 308])
func redirects(_ status: Int) async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("\(status) Elsewhere", ["Location: /other?k=\(secret)"], "moved") }
    }
    let answer = try await Rig(port: upstream.port).call()
    #expect(answer.status == status && answer.headers["location"] == "/other?k=[redacted]")
}

@Test("refused calls never reach the upstream")
func refusedCalls() async throws {
    let upstream = try ScriptedUpstream { _ in Issue.record("a connection was made") }
    let rig = try await Rig(port: upstream.port, ", methods: [GET], paths: [\"/x\"], limits: { max_request: 4B }")
    for (method, path, reason) in [
        ("POST", "/x", "destination_denied"), ("GET", "/y", "destination_denied"), ("GET", "/x/../y", "invalid_request"),
        ("G T", "/x", "invalid_request"),
    ] {
        #expect(await rig.failure(method, path)?.reason == reason)
    }
    await #expect(throws: CallError.self) { try await rig.call("GET", "/x", body: ["too long"]) }
}

@Test("an answer beyond its limit is cut off with an error")
func tooLarge() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", [], String(repeating: "x", count: 5000)) }
    }
    let rig = try await Rig(port: upstream.port, ", limits: { max_response: 1KiB }")
    #expect(await rig.failure()?.code == .resourceExhausted)
    // Its length is announced: nothing of it is passed on before.
    try await CredentialsClient(link: rig.link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
        try await writer.write(CredentialsAPI.CallRequest(destination: "up", method: "GET", path: "/x"))
        writer.finish()
        await #expect(throws: CallError.self) { _ = try await reader.next() }
    }
}

@Test("a long answer arrives whole and in order, and its connection serves the next call", arguments: [true, false])
func long(_ isChunked: Bool) async throws {
    let text = (0 ..< 300_000).map { String($0) }.joined(separator: ",")
    let upstream = try ScriptedUpstream { connection in
        var served = 0
        while connection.head() != nil {
            served += 1
            guard isChunked else {
                connection.answer("200 OK", ["X-Served: \(served)"], text)
                continue
            }
            connection.write("HTTP/1.1 200 OK\r\nX-Served: \(served)\r\nTransfer-Encoding: chunked\r\n\r\n")
            var rest = text[...]
            while !rest.isEmpty {
                connection.chunk(String(rest.prefix(7919)))
                rest = rest.dropFirst(7919)
            }
            connection.chunk("")
        }
    }
    let rig = try await Rig(port: upstream.port)
    for served in ["1", "2"] {
        let answer = try await rig.call()
        #expect(answer.status == 200 && answer.headers["x-served"] == served && answer.body == text)
    }
}

@Test("an upstream that is silent too long, or takes too long in all, is given up", arguments: ["idle", "total"])
func limits(_ limit: String) async throws {
    let closed = DispatchSemaphore(value: 0)
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.chunk("begun")
        connection.untilClosed()
        closed.signal()
    }
    let rig = try await Rig(port: upstream.port, ", limits: { \(limit): 200ms }")
    let began = MonotonicTime.now()
    let error = try #require(await rig.failure())
    #expect(error.code == .deadlineExceeded && error.reason == "upstream_timeout" && error.message.contains("limits.\(limit)"))
    #expect(MonotonicTime.now() - began >= .milliseconds(200))
    await waited(for: closed)
}

@Test("an upstream that keeps speaking is not silent, however long it takes")
func speaking() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil {
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 1 ... 8 {
                Thread.sleep(forTimeInterval: 0.1)
                connection.chunk("tick")
            }
            connection.chunk("")
        }
    }
    let rig = try await Rig(port: upstream.port, ", limits: { idle: 700ms, total: 60s }")
    #expect(try await rig.call().body == String(repeating: "tick", count: 8))
}
