import Glibc

/// A TCP address: a host (IPv4, IPv6 without brackets, or a DNS name) and a port.
package struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// The host; an IPv6 address stands here without its brackets.
    package var host: String
    /// 1 … 65535; 0 asks the system for a free one.
    package var port: Int

    /// An address of parts that are known to be valid.
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `127.0.0.1:8080`, `[::1]:8080`, `example.com:443`; nil when it is not one.
    /// - Parameter allowsPortZero: whether port 0 ("any free one") is valid.
    package init?(_ text: String, allowsPortZero: Bool = false) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1 ... 5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48 ... 57).contains($0) }),
            let port = Int(digits), (allowsPortZero ? 0 ... 65535 : 1 ... 65535).contains(port),
            let host = Self.host(String(text[..<colon]))
        else { return nil }
        self.init(host: host, port: port)
    }

    /// `127.0.0.1:8080`, `[::1]:8080`.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach the address: 127.0.0.0/8, ::1, localhost.
    package var isLoopback: Bool {
        if host == "localhost" || Self.isIPv4(host) && host.hasPrefix("127.") { return true }
        var address = in6_addr()
        guard inet_pton(AF_INET6, host, &address) == 1 else { return false }
        return withUnsafeBytes(of: &address) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    }

    /// The host of an authority without its brackets; nil when it is no IPv4 or IPv6 address and no DNS name.
    static func host(_ text: String) -> String? {
        if text.hasPrefix("["), text.hasSuffix("]") {
            let inner = String(text.dropFirst().dropLast())
            var address = in6_addr()
            return inet_pton(AF_INET6, inner, &address) == 1 ? inner : nil
        }
        // A name whose last label is a number would be read as an IPv4 address by resolvers: then it has to be one.
        let isNumeric = text.split(separator: ".").last?.allSatisfy(\.isNumber) ?? true
        return isNumeric ? (isIPv4(text) ? text : nil) : (isName(text) ? text : nil)
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// RFC 1123 labels; an underscore is tolerated, because container networks use it.
    private static func isName(_ text: String) -> Bool {
        guard text.utf8.count <= 253 else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1 ... 63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                    default: false
                    }
                }
        }
    }
}
