import Crypto
import HTTPTypes
import NIOCore

/// SHA-256 over what makes a request another one for its Idempotency-Key: method, route, query, the version of the API, beta
/// flags, and the body by its meaning. Ids of traces, the client's name and its count of retries change nothing.
package enum RequestFingerprint {
    /// The rules by which requests are compared: a change of them makes all others.
    private static let version = "bulkhead request 2"
    /// Headers that choose another behaviour of the API.
    private static let headers: [HTTPField.Name] = [.anthropicVersion, .anthropicBeta, .openAIBeta]

    /// - Parameters:
    ///   - route: with what it names, e.g. a destination.
    ///   - target: the request's target; only its query counts.
    ///   - body: JSON by its values, anything else byte by byte.
    static func digest(method: String, route: String, target: String, _ fields: RequestHeaders, body: ByteBuffer) -> ByteBuffer {
        digest(
            method: method, route: route, target: target, headers: headers.map { ($0.canonicalName, fields[$0]) }, body: body)
    }

    /// The same with the values of headers, in order.
    package static func digest(
        method: String, route: String, target: String, headers: [(name: String, value: String?)] = [], body: ByteBuffer
    ) -> ByteBuffer {
        var hash = SHA256()
        for part in [version, method, route] + query(target) { add(part, to: &hash) }
        for (name, value) in headers {
            guard let value else { continue }
            add("\(name): \(flags(value))", to: &hash)
        }
        add("body", to: &hash)
        if !CanonicalJSON.write(body, to: { hash.update(bufferPointer: $0) }) {
            add("bytes", to: &hash)
            body.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        }
        return ByteBuffer(bytes: hash.finalize())
    }

    /// With its length in front, so that no two lists of parts look the same.
    private static func add(_ part: String, to hash: inout SHA256) {
        hash.update(data: Array("\(part.utf8.count):\(part)\n".utf8))
    }

    /// The parameters of the query by name; several of one name in their order.
    private static func query(_ target: String) -> [String] {
        guard let mark = target.firstIndex(of: "?") else { return [] }
        let pairs = target[target.index(after: mark)...].prefix { $0 != "#" }.split(separator: "&")
        let named = pairs.map { (name: $0.prefix { $0 != "=" }, pair: $0) }
        let sorted = named.enumerated().sorted { left, right in
            let (first, second) = (left.element.name.utf8, right.element.name.utf8)
            if first.elementsEqual(second) { return left.offset < right.offset }
            return first.lexicographicallyPrecedes(second)
        }
        return sorted.map { String($0.element.pair) }
    }

    /// The members of a list in an order of their own: clients collect beta flags in any.
    private static func flags(_ value: String) -> String {
        value.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }.sorted().joined(separator: ",")
    }
}
