/// An absolute URL of a configuration, taken apart strictly (RFC 3986; no repair of what is not one).
package struct AbsoluteURL: Sendable, Hashable, CustomStringConvertible {
    /// The URL as written.
    package var text: String
    /// The scheme in lower case, e.g. `https`.
    package var scheme: String
    /// The part before `@`, e.g. `user` or `user:password`, as written; nil when there is none. May hold a secret.
    package var userInfo: String?
    /// The host in lower case, IPv6 without brackets; empty only where a host is not required.
    package var host: String
    /// The port as written; nil when there is none.
    package var port: Int?
    /// The path as written, with its leading slash; empty when there is none.
    package var path: String
    /// The query as written, without its question mark; nil when there is none.
    package var query: String?

    /// The port to connect to: the written one, or the default of http (80) and https (443).
    package var effectivePort: Int? { port ?? (scheme == "https" ? 443 : scheme == "http" ? 80 : nil) }

    /// The URL with a password replaced by `(hidden)`.
    package var description: String { SecretShape.maskingPassword(text) }

    /// Parses an absolute URL; nil when it is not one, or has a fragment.
    /// - Parameters:
    ///   - requiresHost: whether an empty host (`postgresql:///name`) is invalid.
    ///   - allowsHostList: whether `a:1,b:2` may stand for the host, as in addresses of clusters; `host` and `port` are then
    ///     those of the first, the others only in `text`.
    package init?(_ text: String, requiresHost: Bool = true, allowsHostList: Bool = false) {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy(Self.isAllowed), let separator = text.firstRange(of: "://"),
            let scheme = Self.scheme(text[..<separator.lowerBound]), Self.escapesAreComplete(text)
        else { return nil }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let parts = Self.authority(authority, requiresHost: requiresHost, allowsHostList: allowsHostList)
        else { return nil }
        let tail = rest[authority.endIndex...]
        let path = tail.prefix { $0 != "?" }
        self.text = text
        self.scheme = scheme
        (userInfo, host, port) = parts
        self.path = String(path)
        query = path.endIndex < tail.endIndex ? String(tail[tail.index(after: path.endIndex)...]) : nil
    }

    private static func scheme(_ text: Substring) -> String? {
        guard let first = text.utf8.first, (65 ... 90).contains(first) || (97 ... 122).contains(first) else { return nil }
        let valid = text.utf8.allSatisfy { byte in
            switch byte {
            case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        return valid ? text.lowercased() : nil
    }

    private typealias Authority = (userInfo: String?, host: String, port: Int?)

    private static func authority(_ text: Substring, requiresHost: Bool, allowsHostList: Bool) -> Authority? {
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count <= 2, let places = halves.last else { return nil }
        let userInfo = halves.count == 2 ? String(halves[0]) : nil
        if places.isEmpty { return requiresHost ? nil : (userInfo, "", nil) }
        let hosts = places.split(separator: ",", omittingEmptySubsequences: false).map { place(String($0)) }
        guard hosts.count == 1 || allowsHostList, let first = hosts[0], hosts.allSatisfy({ $0 != nil }) else { return nil }
        return (userInfo, first.host, first.port)
    }

    private static func place(_ text: String) -> (host: String, port: Int?)? {
        if let host = HostPort.host(text) { return (host.lowercased(), nil) }
        return HostPort(text).map { ($0.host.lowercased(), $0.port) }
    }

    /// Visible ASCII without the characters RFC 3986 leaves out, and without `#`: a base address has no fragment.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        (33 ... 126).contains(byte) && !"\"<>\\^`{|}#".utf8.contains(byte)
    }

    private static func escapesAreComplete(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
            part.count >= 2
                && part.prefix(2).allSatisfy { (48 ... 57).contains($0) || (65 ... 70).contains($0) || (97 ... 102).contains($0) }
        }
    }
}
