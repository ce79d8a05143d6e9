import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore

/// The head of a provider's answer.
package struct ResponseHead: Sendable {
    package var status: Int
    package var headers: [CredentialsAPI.Header]

    package var isSuccess: Bool { (200 ..< 300).contains(status) }

    /// The body is events; everything else is taken as one document.
    @inline(never)
    package var isEventStream: Bool {
        let type = headers.first { $0.name.lowercased() == "content-type" }?.value.lowercased() ?? ""
        return type.hasPrefix("text/event-stream") || type.hasPrefix("application/vnd.amazon.eventstream")
    }
}

/// The body of a provider's answer, piece by piece.
package struct ResponseBody {
    fileprivate var first: ByteBuffer?
    fileprivate let reader: TypedReader<CredentialsAPI.CallReply>

    /// The next piece, never empty; nil at the end of a body that ended well.
    package mutating func next() async throws -> ByteBuffer? {
        if let first = first.take(), first.readableBytes > 0 { return first }
        while let reply = try await reader.next() {
            if let body = reply.body, body.readableBytes > 0 { return body }
        }
        return nil
    }

    /// The next piece if it is there already, never empty.
    package mutating func nextIfReady() throws -> ByteBuffer? {
        while let reply = try reader.nextIfReady() {
            if let body = reply.body, body.readableBytes > 0 { return body }
        }
        return nil
    }

    /// Its first `limit` bytes; the rest is not read.
    package mutating func beginning(limit: Int) async throws -> ByteBuffer {
        var all = ByteBuffer()
        while all.readableBytes < limit, var piece = try await next() {
            if let part = piece.readSlice(length: min(piece.readableBytes, limit - all.readableBytes)) {
                all.writeImmutableBuffer(part)
            }
        }
        return all
    }

    /// All of it. - Returns: nil when there is more than `limit` bytes.
    package mutating func whole(limit: Int) async throws -> ByteBuffer? {
        var all = ByteBuffer()
        while let piece = try await next() {
            guard all.readableBytes + piece.readableBytes <= limit else { return nil }
            if all.readableBytes == 0 { all = piece } else { all.writeImmutableBuffer(piece) }
        }
        return all
    }
}

/// HTTP with providers, by way of the credentials service: the only way out.
package struct UpstreamExchange: Sendable {
    package let client: CredentialsClient

    /// Bodies above this travel in pieces.
    private static let pieceBytes = 1 << 20

    /// What it means that nothing came within `limit`. A provider is not to blame while the process on the way is silent itself.
    package func silence(_ one: Try, after limit: Duration) -> TargetFailure {
        client.link.snapshot().state == .ready
            ? .silent(one.target, after: limit) : .noCredentials(retryAfter: .seconds(1), origin: nil)
    }

    /// Sends `request` and hands head and body of the answer to `use`. Leaving `use` early closes the provider's connection.
    /// - Parameter request: asked for once.
    /// - Parameter watchdog: watches the exchange from its opening to its end; CANCELLED is thrown when it expires.
    /// - Throws: `CallError` of the exchange, or what `use` throws.
    package func perform<Value: Sendable>(
        _ request: @autoclosure () -> UpstreamRequest, _ target: Target, connectTimeout: Duration, _ options: CallOptions,
        _ watchdog: Watchdog, _ use: (ResponseHead, inout ResponseBody) async throws -> Value
    ) async throws -> Value {
        try await client.call(options) { writer, reader in
            watchdog.begin {
                reader.abandon()
                writer.abandon()
            }
            defer { watchdog.finish() }
            let refusal = await Self.send(request(), target, connectTimeout, options.metadata, writer)
            // A provider may answer before it has taken all of the body; its answer says more than the failed write.
            guard let reply = try await Self.head(reader, unlessFailed: refusal), let status = reply.status else {
                throw CallError(
                    .unavailable, reason: "upstream_error", message: "The provider '\(target.provider)' sent no answer.")
            }
            var body = ResponseBody(first: reply.body, reader: reader)
            return try await use(ResponseHead(status: status, headers: reply.headers), &body)
        }
    }

    private static func head(
        _ reader: TypedReader<CredentialsAPI.CallReply>, unlessFailed refusal: (any Error)?
    ) async throws -> CredentialsAPI.CallReply? {
        do {
            return try await reader.next()
        } catch {
            throw (error as? CallError) ?? refusal ?? error
        }
    }

    /// - Returns: why the request could not be sent, if so.
    @inline(never)
    private static func send(
        _ request: UpstreamRequest, _ target: Target, _ connectTimeout: Duration, _ metadata: CallMetadata,
        _ writer: ClientTypedWriter<CredentialsAPI.CallRequest>
    ) async -> (any Error)? {
        var rest = request.body
        var message = request.head(target, connectTimeout: connectTimeout)
        // The provider's own traces, and those of a proxy before it, can then be joined to ours (W3C Trace Context).
        if let trace = metadata.trace { message.headers.append(.init(name: "traceparent", value: trace.traceparent)) }
        do {
            repeat {
                message.body = rest.readSlice(length: min(pieceBytes, rest.readableBytes))
                try await writer.write(message)
                message = CredentialsAPI.CallRequest()
            } while rest.readableBytes > 0
        } catch {
            return error
        }
        writer.finish()
        return nil
    }
}
