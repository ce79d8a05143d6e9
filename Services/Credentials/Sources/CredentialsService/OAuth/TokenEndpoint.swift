import BulkheadConfig
import BulkheadCore
import BulkheadJSON
import NIOCore
import NIOHTTP1

/// What an authorization server gave.
struct TokenGrant: Sendable {
    let access: SecretBytes
    /// How long it holds; nil: not said.
    let life: Duration?
    /// In place of the refresh token it was fetched with; nil: that one stays.
    let refreshToken: String?
}

/// One request at a token endpoint. It goes out as every other one, under the same rules for its address. Nothing of what the
/// server writes reaches a message, but for error codes of the standard.
enum TokenEndpoint {
    private static let maxBytes = 64 << 10
    private static let timeout = TimeAmount.seconds(10)
    /// RFC 6749 §5.2.
    private static let codes = [
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
    ]

    /// - Parameter allowsPrivate: whether the endpoint may be on this machine or network.
    /// - Throws: `secret_refused`, `upstream_unreachable` or `upstream_error`; the call itself has not gone out.
    static func fetch(
        _ client: OAuthClient, allowsPrivate: Bool, connect: Duration, by outbound: OutboundClient
    ) async throws(CallError) -> TokenGrant {
        let place = "the token endpoint at \(SealedHost(host: client.url.host, port: client.url.effectivePort ?? 443))"
        let exchange = UpstreamExchange(outbound)
        let timer = outbound.eventLoop.scheduleTask(in: timeout) { exchange.cancel() }
        defer {
            timer.cancel()
            exchange.cancel()
        }
        exchange.start(client.request, to: Origin(client.url, allowsPrivate: allowsPrivate), connectTimeout: connect)
        var (status, body) = (0, ByteBuffer())
        while true {
            switch await exchange.next() {
            case .head(let head, _): status = Int(head.status.code)
            case .part(let piece):
                guard body.readableBytes + piece.readableBytes <= maxBytes else {
                    throw trouble("\(place) sent more than \(maxBytes) bytes")
                }
                body.writeImmutableBuffer(piece)
            case .end: return try grant(status, body, client.spec.grant, place)
            case .failed(let error): throw failure(error, place, wasSent: exchange.wasSent)
            }
        }
    }

    private static func failure(_ error: any Error, _ place: String, wasSent: Bool) -> CallError {
        var failure = OutboundFailure.beforeResponse(error, place: place, wasSent: wasSent)
        if failure.code == .cancelled { failure = trouble("\(place) did not answer in 10 s") }
        failure.notProcessed = true
        return failure
    }

    private static func trouble(_ what: String) -> CallError {
        CallError(.unavailable, reason: "upstream_error", message: "no access token: \(what)", notProcessed: true)
    }

    /// RFC 6749 §5.1, §5.2.
    private static func grant(
        _ status: Int, _ body: ByteBuffer, _ grant: OAuthSpec.Grant, _ place: String
    ) throws(CallError) -> TokenGrant {
        let json = try? JSON.parse(body, maxDepth: 16)
        guard status == 200 else {
            let code = json?["error"]?.string.flatMap { codes.contains($0) ? " (\($0))" : nil } ?? ""
            guard status == 400 || status == 401 || status == 403 else {
                throw trouble("\(place) answered with status \(status)\(code)")
            }
            throw CallError(
                .failedPrecondition, reason: "secret_refused",
                message: "\(place) refused the stored secret with status \(status)\(code); store a new one with "
                    + "bulkhead-credentials set",
                notProcessed: true)
        }
        let access = json?["access_token"]?.string ?? ""
        guard (json?["token_type"]?.string ?? "bearer").lowercased() == "bearer", !access.isEmpty, access.utf8.count <= 32 << 10,
            access.utf8.allSatisfy({ (33 ... 126).contains($0) })
        else { throw trouble("\(place) answered without a bearer token that can stand in a header") }
        let life = json?["expires_in"].flatMap { $0.int ?? $0.string.flatMap { Int($0) } }
        let next = grant == .refreshToken ? json?["refresh_token"]?.string : nil
        return TokenGrant(
            access: SecretBytes(Array(access.utf8)), life: life.map { .seconds(max(0, min($0, 365 * 86400))) },
            refreshToken: next.flatMap { $0.isEmpty ? nil : $0 })
    }
}
