import BulkheadAPI
import BulkheadCore
import NIOHTTP1

/// The headers of a request on its way out.
package typealias OutgoingHeaders = [OutboundRequest.Header]

/// Which headers pass from a caller to an upstream, and back. Credentials, framing, routing and hop-by-hop headers are this
/// process's own business in both directions.
package enum HeaderHygiene {
    /// Headers a request may have at most.
    static let maxCount = 128

    /// Credentials a caller might send: dropped, never merged with the stored ones.
    private static let credentials: Set<String> = [
        "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "cookie2",
    ]
    /// Headers of one connection (RFC 9110 §7.6.1), and those that frame the message.
    private static let framing: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings",
        "content-length", "host",
        "expect", "accept-encoding",
    ]
    /// Headers that make some servers see another method, path or origin.
    private static let misleading: Set<String> = [
        "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "forwarded",
        "x-original-uri", "x-rewrite-uri", "x-original-host", "x-original-method", "x-host", "x-http-host-override",
        "x-http-path-override", "x-client-ip", "x-cluster-client-ip", "client-ip", "true-client-ip", "cf-connecting-ip",
        "x-envoy-original-path", "x-envoy-original-method", "via",
        "x-forwarded-host", "x-forwarded", "x-forwarded-path", "x-forwarded-uri", "x-forwarded-method", "x-forwarded-scheme",
        "x-forwarded-ssl", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix",
        "x-forwarded-server", "x-forwarded-user", "x-real-ip",
    ]
    /// All of them: a look into one set is a tenth of the work on a header.
    private static let dropped = credentials.union(framing).union(misleading)
    /// What a destination cannot let through by listing it.
    private static let never = credentials.union(framing)
    private static let responseFraming: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    /// A bit for each length.
    private static let framingLengths = responseFraming.union(["content-length"]).reduce(UInt64(0)) {
        $0 | 1 << UInt64($1.utf8.count)
    }

    /// Whether a header frames the message or belongs to one connection. - Parameter name: lower-case.
    package static func isFraming(_ name: String) -> Bool { framing.contains(name) || name.hasPrefix("proxy-") }

    /// Whether a header makes some servers see another method, path or origin. - Parameter name: lower-case.
    package static func isMisleading(_ name: String) -> Bool { misleading.contains(name) }

    /// Whether a destination cannot let a header of its callers through. - Parameter name: lower-case.
    package static func neverPasses(_ name: String) -> Bool { never.contains(name) || name.hasPrefix("proxy-") }

    private static func isDropped(_ name: String, _ allowed: Set<String>?) -> Bool {
        guard let allowed else { return dropped.contains(name) || name.hasPrefix("proxy-") }
        return neverPasses(name) || !allowed.contains(name) && !RequestHeaderRule.basics.contains(name)
    }

    /// The headers that go to the upstream, without credentials.
    /// - Parameters:
    ///   - own: the header the secret goes into, lower-case.
    ///   - allowed: names that pass besides the basic ones, lower-case; nil: all that neither hold credentials nor mislead.
    /// - Throws: INVALID_ARGUMENT `invalid_request`.
    package static func outgoing(_ headers: [CredentialsAPI.Header], own: String?, allowed: Set<String>? = nil) throws(CallError)
        -> OutgoingHeaders
    {
        guard headers.count <= maxCount else { throw refusal("\(headers.count) headers, at most \(maxCount) are allowed") }
        let listed = listed(
            headers.lazy.filter { $0.name.utf8.count == 10 && $0.name.lowercased() == "connection" }.map { $0.value[...] })
        var kept: OutgoingHeaders = []
        kept.reserveCapacity(headers.count + 4)
        for header in headers {
            guard HeaderSyntax.isName(header.name) else {
                throw refusal("a header name with characters that are not allowed in one")
            }
            guard HeaderSyntax.isValue(header.value) else {
                throw refusal("a value of header \(header.name) with control characters, or of more than 64 KiB")
            }
            let name = header.name.lowercased()
            if isDropped(name, allowed) || name == own || !listed.isEmpty && listed.contains(name) {
                continue
            }
            kept.append(OutboundRequest.Header(header.name, SecretText(header.value)))
        }
        // A coded body could hide the secret from redaction.
        kept.append(OutboundRequest.Header("accept-encoding", SecretText("identity")))
        return kept
    }

    /// The body length a caller announced; nil when none, or not one plain number.
    package static func contentLength(_ headers: [CredentialsAPI.Header]) -> Int? {
        let values = headers.filter { $0.name.utf8.count == 14 && $0.name.lowercased() == "content-length" }.map(\.value)
        guard values.count == 1, let value = values.first, value.utf8.allSatisfy({ (48 ... 57).contains($0) }) else { return nil }
        return Int(value)
    }

    /// The headers that go back to the caller.
    /// - Parameter keepsLength: false when the body may change its length.
    package static func incoming(_ headers: HTTPHeaders, keepsLength: Bool) -> [CredentialsAPI.Header] {
        let listed = listed(headers[canonicalForm: "connection"])
        return headers.compactMap { name, value in
            let lower = lowered(name)
            if mayFrame(lower), responseFraming.contains(lower) || lower == "content-length" && !keepsLength { return nil }
            if lower.utf8.first == UInt8(ascii: "p"), lower.hasPrefix("proxy-") { return nil }
            if !listed.isEmpty, listed.contains(lower) { return nil }
            return CredentialsAPI.Header(name: lower, value: value)
        }
    }

    /// The names of headers that belong to one connection, as `Connection` lists them (RFC 9110 §7.6.1), lower-case.
    private static func listed(_ values: some Sequence<Substring>) -> Set<String> {
        var names: Set<String> = []
        for name in values.lazy.flatMap({ $0.split(separator: ",") }) {
            names.insert(name.filter { $0 != " " && $0 != "\t" }.lowercased())
        }
        return names
    }

    /// The name in lower case: itself when it is already.
    private static func lowered(_ name: String) -> String {
        name.utf8.allSatisfy { !(65 ... 90).contains($0) && $0 < 0x80 } ? name : name.lowercased()
    }

    /// Whether a name is as long as one of `responseFraming` and `content-length`: most are not, and need not be hashed.
    private static func mayFrame(_ name: String) -> Bool {
        let length = name.utf8.count
        return length < 64 && framingLengths >> UInt64(length) & 1 == 1
    }

    private static func refusal(_ what: String) -> CallError {
        CallError(.invalidArgument, reason: "invalid_request", message: "the request has \(what)", notProcessed: true)
    }
}
