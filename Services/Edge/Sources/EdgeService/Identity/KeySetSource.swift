import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import Glibc
import NIOCore

/// Where the documents with the issuer's keys are read from.
enum KeySetSource {
    /// How long a fetch may take.
    private static let fetchLimit = Duration.seconds(5)

    /// Reads it by `context` or `peers`.
    static func load(_ source: OIDCConfiguration.KeySource, _ context: ServiceContext, _ peers: EdgePeers) -> TokenKeys.Load {
        switch source {
        case .file(let path): { try await context.blocking { try read(path) } }
        case .destination(let name, let path): { try await fetch(name, path, peers) }
        }
    }

    /// Blocks on the file. - Throws: `TokenKeyProblem` without the path: what is wrong is shown where the path is not to be.
    static func read(_ path: String) throws -> ByteBuffer {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw problem(errno) }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else { throw problem(errno) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw TokenKeyProblem("jwks_file is no regular file") }
        var document = ByteBuffer()
        while document.readableBytes <= TokenKeySet.mostBytes {
            let count = document.writeWithUnsafeMutableBytes(minimumWritableBytes: 65_536) {
                max(0, Glibc.read(file, $0.baseAddress, $0.count))
            }
            if count == 0 { return document }
        }
        return document
    }

    private static func problem(_ code: Int32) -> TokenKeyProblem {
        TokenKeyProblem("jwks_file cannot be opened: \(String(cString: strerror(code)))")
    }

    /// One GET through the credentials service: this process opens no connection to the outside.
    private static func fetch(_ destination: String, _ path: String, _ peers: EdgePeers) async throws -> ByteBuffer {
        let metadata = CallMetadata(requestID: "jwks_" + TraceContext.digits(QuickRandom.next(), 16))
        var options = peers.credentialsOptions(metadata, deadline: .now() + fetchLimit)
        // Nobody waits for it at the start, when the link is about to be made.
        options.waitForReady = fetchLimit
        let request = CredentialsAPI.CallRequest(
            destination: destination, method: "GET", path: path,
            headers: [CredentialsAPI.Header(name: "accept", value: "application/jwk-set+json, application/json")])
        return try await peers.credentials.call(options) { writer, reader in
            try await writer.write(request)
            writer.finish()
            guard let first = try await reader.next() else { throw TokenKeyProblem("the destination sent no answer") }
            guard first.status == 200 else { throw TokenKeyProblem("the destination answered \(first.status ?? 0)") }
            var document = first.body ?? ByteBuffer()
            while let next = try await reader.next() {
                if let piece = next.body { document.writeImmutableBuffer(piece) }
                guard document.readableBytes <= TokenKeySet.mostBytes else {
                    throw TokenKeyProblem("the destination sent more than \(TokenKeySet.mostBytes) bytes")
                }
            }
            return document
        }
    }
}

extension TokenKeys.Rhythm {
    /// Of a source.
    static func of(_ source: OIDCConfiguration.KeySource) -> Self {
        switch source {
        case .file: .file
        case .destination: .network
        }
    }
}
