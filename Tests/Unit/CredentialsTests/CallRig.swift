import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import CZlib
import CredentialsService
import Foundation
import NIOCore
import Testing

/// The service with one destination, `up`, whose secret is injected as its keys say, and a link to call it by as `edge`.
struct CallRig {
    let link: IPCLink
    private let folder: TemporaryFolder

    init(
        port: UInt16, _ keys: String, value: String, _ more: String = "", companions: [String: String] = [:],
        tokens: OAuthTokens = OAuthTokens(), former: [String] = [],
        forward: @escaping @Sendable (AuditEvent, UInt64, Int64) -> Void = { _, _, _ in }
    ) async throws {
        folder = try TemporaryFolder()
        let place = "base_url: \"http://127.0.0.1:\(port)\", private_network: true, allow_plain_http: true, callers: [edge]"
        let text = "credentials:\n  destinations:\n    up: { \(place), secret: UP_KEY, \(keys)\(more) }\n"
        let loaded = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml")
        let host = try #require(SealedHost("127.0.0.1:\(port)"))
        let asked = Grant(try #require(loaded.service.destinations.first), callers: ["edge"])
        var stored = companions.merging(["UP_KEY": value]) { $1 }.mapValues { value in
            StoredSecret(
                policy: SecretPolicy(host: host, preset: asked.preset, grants: [asked], created: 1),
                value: SecretBytes(Array(value.utf8)))
        }
        stored["UP_KEY"]?.former = former.enumerated().map { version, value in
            FormerValue(version: version, until: .max, value: SecretBytes(Array(value.utf8)))
        }
        let client = try OutboundClient.make(EgressConfiguration())
        let table = DestinationTable(loaded.service.destinations, providers: [], vault: .open(stored))
        let service = CallService(
            CallSurroundings(table: table, client: client, tokens: tokens),
            audit: try AuditTrail(folder: folder.path, forward: forward))
        link = try await InProcessTransport.connect(
            service: "credentials", methods: CredentialsMethods.serve(service), schemas: [CredentialsMethods.schema],
            link: LinkConfiguration(peer: "credentials", caller: "edge", socketPath: "", schemas: [CredentialsMethods.schema]),
            eventLoop: client.eventLoop)
    }

    /// One call. - Parameter seen: gets the body as far as it has come.
    func call(
        _ method: String = "GET", _ path: String = "/x", body: [String] = [],
        seen: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Answer {
        try await CredentialsClient(link: link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
            var first = CredentialsAPI.CallRequest(destination: "up", method: method, path: path)
            first.body = body.first.map { ByteBuffer(string: $0) }
            try await writer.write(first)
            for piece in body.dropFirst() { try await writer.write(CredentialsAPI.CallRequest(body: ByteBuffer(string: piece))) }
            writer.finish()
            var answer = Answer()
            while let reply = try await reader.next() {
                if let status = reply.status { answer.status = status }
                if let reason = reply.reason { answer.reason = reason }
                for header in reply.headers { answer.headers[header.name] = header.value }
                if let piece = reply.body { answer.body += String(buffer: piece) }
                seen(answer.body)
            }
            return answer
        }
    }

    /// What comes back.
    struct Answer: Sendable {
        var status = 0
        var reason = ""
        var headers: [String: String] = [:]
        var body = ""
    }
}

struct PackingFailed: Error {}

/// Bytes in gzip, zlib, or bare deflate.
func packed(_ bytes: [UInt8], _ format: String) throws -> [UInt8] {
    try Packer(format).add(bytes, Z_FINISH)
}

/// Two texts in one gzip body, cut between them.
func packedInTwo(_ first: [UInt8], _ second: [UInt8]) throws -> ([UInt8], [UInt8]) {
    let packer = try Packer("gzip")
    return (try packer.add(first, Z_SYNC_FLUSH), try packer.add(second, Z_FINISH))
}

private final class Packer {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init(_ format: String) throws {
        stream.initialize(to: z_stream())
        let bits: Int32 = format == "gzip" ? 31 : format == "zlib" ? 15 : -15
        guard deflateInit2_(stream, 9, Z_DEFLATED, bits, 8, 0, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw PackingFailed()
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func add(_ bytes: [UInt8], _ flush: Int32) throws -> [UInt8] {
        var (input, output) = (bytes, [UInt8](repeating: 0, count: bytes.count + 1024))
        let code = input.withUnsafeMutableBufferPointer { from in
            output.withUnsafeMutableBufferPointer { to in
                stream.pointee.next_in = from.baseAddress
                stream.pointee.avail_in = UInt32(from.count)
                stream.pointee.next_out = to.baseAddress
                stream.pointee.avail_out = UInt32(to.count)
                return deflate(stream, flush)
            }
        }
        guard code == Z_OK || code == Z_STREAM_END else { throw PackingFailed() }
        return Array(output.prefix(output.count - Int(stream.pointee.avail_out)))
    }
}
