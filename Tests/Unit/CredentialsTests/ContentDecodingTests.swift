import BulkheadCore
import BulkheadIPC
import CredentialsService
import Foundation
import NIOCore
import Testing

private let secret = "sk-Zq7-Pw9-Xx28-canary"
private let text = "before \(secret) after"

/// What a scripted upstream answers with, and how the call ends.
private func answered(_ headers: [String], _ body: [UInt8], more: String = "", method: String = "GET") async throws
    -> CallRig.Answer
{
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil {
            connection.write(
                Array((["HTTP/1.1 200 OK", "Content-Length: \(body.count)"] + headers).joined(separator: "\r\n").utf8))
            connection.write("\r\n\r\n")
            connection.write(body)
        }
    }
    return try await CallRig(port: upstream.port, "preset: bearer", value: secret, more).call(method)
}

private func failure(_ headers: [String], _ body: [UInt8], more: String = "") async -> CallError? {
    do {
        _ = try await answered(headers, body, more: more)
        return nil
    } catch { return error as? CallError }
}

@Test(
    "a packed answer is unpacked, cleaned and passed on plain",
    arguments: [
        (["gzip"], ["Content-Encoding: gzip"]), (["gzip"], ["Content-Encoding: X-GZIP"]),
        (["zlib"], ["Content-Encoding: deflate"]),
        (["bare"], ["Content-Encoding: deflate"]), (["gzip", "gzip"], ["Content-Encoding: gzip, gzip"]),
        (["zlib", "gzip"], ["Content-Encoding: deflate", "Content-Encoding: gzip"]), ([], ["Content-Encoding: identity"]),
    ])
func unpacked(_ layers: [String], _ headers: [String]) async throws {
    var body = Array(text.utf8)
    for layer in layers { body = try packed(body, layer) }
    let answer = try await answered(headers, body)
    #expect(answer.body == "before [redacted] after")
    #expect(layers.isEmpty || answer.headers["content-encoding"] == nil)
}

@Test("a gzip body of several members is one body")
func members() async throws {
    let body = try packed(Array("before ".utf8), "gzip") + packed(Array("\(secret) after".utf8), "gzip")
    #expect(try await answered(["Content-Encoding: gzip"], body).body == "before [redacted] after")
}

@Test(
    "an answer that cannot be unpacked is not passed on",
    arguments: [
        ["Content-Encoding: br"], ["Content-Encoding: zstd"], ["Content-Encoding: gzip, gzip, gzip"],
        ["Content-Encoding: gzip, br"],
    ])
func unknown(_ headers: [String]) async throws {
    let error = await failure(headers, Array(text.utf8))
    #expect(error?.reason == "upstream_error" && error?.message.contains("undecodable") == true)
}

@Test("an answer that is not packed as it says, or breaks off, is an error")
func damaged() async throws {
    #expect(await failure(["Content-Encoding: gzip"], Array(text.utf8))?.reason == "upstream_error")
    let whole = try packed(Array(text.utf8), "gzip")
    #expect(await failure(["Content-Encoding: gzip"], Array(whole.dropLast(9)))?.reason == "stream_broken")
    #expect(await failure(["Content-Encoding: gzip"], whole + [1, 2, 3])?.reason == "upstream_error")
}

@Test("a packed answer may not grow without measure, nor beyond its limit")
func bomb() async throws {
    let zeros = [UInt8](repeating: 0, count: 8 << 20)
    let once = try packed(zeros, "gzip")
    for (headers, body) in [(["Content-Encoding: gzip"], once), (["Content-Encoding: gzip, gzip"], try packed(once, "gzip"))] {
        let error = await failure(headers, body)
        #expect(error?.code == .resourceExhausted && error?.reason == "upstream_error")
    }
    let small = try packed([UInt8](repeating: 0, count: 5000), "gzip")
    #expect(
        await failure(["Content-Encoding: gzip"], small, more: ", limits: { max_response: 4KiB }")?.code == .resourceExhausted)
}

@Test("a packed event stream is passed on event by event")
func packedEvents() async throws {
    let seen = DispatchSemaphore(value: 0)
    let (first, second) = try packedInTwo(Array("data: one\n\n".utf8), Array("data: \(secret)\n\n".utf8))
    let upstream = try ScriptedUpstream { connection in
        guard connection.head() != nil else { return }
        connection.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in [first, second] {
            connection.write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8))
            // The second event is sent only after the first has arrived.
            if piece == first { seen.wait() }
        }
        connection.write("0\r\n\r\n")
    }
    let answer = try await CallRig(port: upstream.port, "preset: bearer", value: secret).call { body in
        if body == "data: one\n\n" { seen.signal() }
    }
    #expect(answer.body == "data: one\n\ndata: [redacted]\n\n")
}

@Test("an answer without body keeps what it says of one", arguments: ["HEAD", "GET"])
func bodiless(_ method: String) async throws {
    let status = method == "HEAD" ? "200 OK" : "304 Not Modified"
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil {
            connection.write("HTTP/1.1 \(status)\r\nContent-Length: 1234\r\nETag: \"\(secret)\"\r\n\r\n")
        }
    }
    let answer = try await CallRig(port: upstream.port, "preset: bearer", value: secret).call(method)
    #expect(answer.headers["content-length"] == "1234" && answer.headers["etag"] == "\"[redacted]\"" && answer.body.isEmpty)
}

@Test("status text, header values and names are cleaned")
func heads() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil {
            connection.write(
                "HTTP/1.1 299 No \(secret) here\r\nSet-Cookie: a=\(secret); Path=/\r\nX-\(secret): 1\r\nX-Tail: tail\r\n"
                    + "WWW-Authenticate: Bearer realm=\"\(secret)\"\r\nContent-Length: 0\r\n\r\n")
        }
    }
    let answer = try await CallRig(port: upstream.port, "preset: bearer", value: secret).call()
    #expect(!answer.reason.contains("canary") && answer.headers["set-cookie"] == "a=[redacted]; Path=/")
    #expect(answer.headers["www-authenticate"] == "Bearer realm=\"[redacted]\"" && answer.headers["x-tail"] == "tail")
    #expect(!answer.headers.keys.contains { $0.contains("canary") })
}

@Test("a secret that was sent to a host before does not come back in an answer to another one")
func companions() async throws {
    let other = "other-secret-of-the-same-host"
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", [], "\(other) \(secret)") }
    }
    let rig = try await CallRig(port: upstream.port, "preset: bearer", value: secret, companions: ["OTHER_KEY": other])
    #expect(try await rig.call().body == "[redacted] [redacted]")
}
