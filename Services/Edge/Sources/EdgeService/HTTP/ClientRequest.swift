import HTTPTypes
import NIOHTTP1

/// The head of a client's request.
struct ClientRequest {
    let method: HTTPMethod
    /// The request target as sent: path and query.
    let target: String
    let headers: RequestHeaders
    /// The client takes another request's answer on this connection.
    let keepsConnection: Bool
    /// Knows chunked bodies; HTTP/1.0 ends an answer of unknown length with the connection.
    let takesChunks: Bool

    init(_ head: HTTPRequestHead) {
        method = head.method
        target = head.uri
        headers = RequestHeaders(head.headers)
        keepsConnection = head.isKeepAlive
        takesChunks = head.version.major == 1 && head.version.minor >= 1
    }
}

/// The fields of a request, looked up by name where they are used: most of them never are.
struct RequestHeaders {
    /// As sent, in order.
    let fields: HTTPHeaders
    /// The lengths of the names, a bit each: most of the names that are looked for are of none of them.
    private let lengths: UInt64

    init(_ fields: HTTPHeaders = HTTPHeaders()) {
        self.fields = fields
        lengths = fields.reduce(0) { $0 | Self.bit($1.name) }
    }

    /// The value of a field; several of one name are one list (RFC 9110 §5.3). nil when there is none.
    subscript(name: HTTPField.Name) -> String? {
        guard lengths & Self.bit(name.canonicalName) != 0 else { return nil }
        var found: String?
        for (other, value) in fields where Self.isSame(other, name.canonicalName) {
            found = found.map { "\($0), \(value)" } ?? value
        }
        return found
    }

    /// How often a field stands in the request.
    func count(_ name: HTTPField.Name) -> Int { self[name] == nil ? 0 : fields[name.canonicalName].count }

    private static func bit(_ name: String) -> UInt64 { 1 << UInt64(min(name.utf8.count, 63)) }

    /// - Parameter canonical: in lower case.
    private static func isSame(_ name: String, _ canonical: String) -> Bool {
        guard name.utf8.count == canonical.utf8.count else { return false }
        var (name, canonical) = (name, canonical)
        return name.withUTF8 { left in
            canonical.withUTF8 { right in
                for index in left.indices {
                    let letter = left[index]
                    guard letter == right[index] || (65 ... 90).contains(letter) && letter | 0x20 == right[index] else {
                        return false
                    }
                }
                return true
            }
        }
    }
}
