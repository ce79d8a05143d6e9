import BulkheadAPI
import HTTPTypes
import NIOHTTP1

/// What of a client's request goes on to a destination.
package enum ForwardedRequest {
    /// Headers of one connection (RFC 9110 §7.6.1), and those this process has acted upon itself.
    private static let ownBusiness: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "host", "expect",
    ]
    private static let prefixes = ["proxy-", "x-bulkhead-"]

    /// Path and query behind `/v1/proxy/{destination}`, as they were sent: not a byte is decoded, tidied or added.
    /// - Parameter target: one that `Routes.match` found to be of this route.
    package static func place(_ target: String) -> (path: String, query: String?) {
        let rest = target.utf8.dropFirst(Routes.proxyPrefix.utf8.count).drop { $0 != slash && $0 != mark }
        let path = rest.prefix { $0 != mark }
        let query = rest.dropFirst(path.count)
        return (path.isEmpty ? "/" : String(Substring(path)), query.isEmpty ? nil : String(Substring(query.dropFirst())))
    }

    private static let slash = UInt8(ascii: "/")
    private static let mark = UInt8(ascii: "?")

    /// The headers that go on: all but those of the connection, of this product, and the API key that this process was shown.
    /// - Parameter key: the API key of the request; nil when none was needed.
    package static func headers(_ fields: HTTPHeaders, key: String?) -> [CredentialsAPI.Header] {
        let listed = listed(fields.lazy.filter { $0.name.utf8.count == 10 && $0.name.lowercased() == "connection" }.map(\.value))
        var kept: [CredentialsAPI.Header] = []
        kept.reserveCapacity(fields.count)
        for (name, value) in fields {
            let lower = name.lowercased()
            guard !isOwnBusiness(lower), !listed.contains(lower), !carries(key, lower, value) else { continue }
            kept.append(CredentialsAPI.Header(name: name, value: value))
        }
        return kept
    }

    /// Whether a header is not passed on. - Parameter name: in lower case.
    package static func isOwnBusiness(_ name: String) -> Bool {
        ownBusiness.contains(name) || prefixes.contains { name.utf8.starts(with: $0.utf8) }
    }

    /// The names in `Connection` headers, in lower case.
    package static func listed(_ values: some Sequence<String>) -> Set<String> {
        Set(values.flatMap { $0.split(separator: ",") }.map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() })
    }

    /// How this product's keys begin: one that was sent beside the key that counts is nobody else's business either.
    private static let keyPrefix = "bh_"

    private static func carries(_ key: String?, _ name: String, _ value: String) -> Bool {
        guard let key, name == "authorization" || name == "x-api-key" else { return false }
        return value.utf8.split(separator: UInt8(ascii: " ")).contains {
            $0.elementsEqual(key.utf8) || $0.starts(with: keyPrefix.utf8)
        }
    }
}
