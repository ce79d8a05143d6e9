import Glibc

/// How a host may be written in `base_url` and `--host`: plain ASCII, and one spelling for one place. What two programs could
/// read as two hosts is refused rather than tidied up; only capital letters are made small.
package enum HostSyntax {
    /// The part of a URL that names its host and port, as written; nil when the text has none.
    package static func authority(of url: String) -> Substring? {
        guard let separator = url.firstRange(of: "://") else { return nil }
        return url[separator.upperBound...].prefix { $0 != "/" && $0 != "?" }
    }

    /// What is wrong with `host` or `host:port`, as what is expected in its place; nil when nothing is. Credentials before an
    /// `@` are not looked at: whoever reads the URL refuses them without showing them.
    package static func problem(_ text: some StringProtocol) -> String? {
        let text = String(text)
        guard !text.contains("@") else { return nil }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else {
            return "a host in ASCII; write a name with other letters in punycode (xn--…), so that it is not mistaken for another"
        }
        if let bad = text.utf8.first(where: { $0 <= 32 || $0 == 127 || "\\%#?/\"<>^`{|}".utf8.contains($0) }) {
            return "a host without \(bad > 32 && bad < 127 ? "'\(Unicode.Scalar(bad))'" : "blanks and control characters")"
        }
        if text.hasPrefix("[") { return bracketed(text) }
        let name = text.prefix { $0 != ":" }.lowercased()
        if name.hasSuffix(".") { return "a host without a dot at its end" }
        return looksNumeric(name) && !isIPv4(name)
            ? "an IPv4 address of four decimal numbers, such as 127.0.0.1, or a name that does not end in a number" : nil
    }

    private static func bracketed(_ text: String) -> String? {
        let inner = text.dropFirst().prefix { $0 != "]" }.lowercased()
        var address = in6_addr()
        guard inet_pton(AF_INET6, inner, &address) == 1 else { return "an IPv6 address in brackets, without a zone" }
        let bytes = withUnsafeBytes(of: &address) { Array($0) }
        // ::a.b.c.d, ::ffff:a.b.c.d and 64:ff9b::a.b.c.d.
        let isEmbedded =
            bytes[..<10].allSatisfy { $0 == 0 } && (bytes[10 ..< 12] == [0xff, 0xff] || bytes[10 ..< 14].contains { $0 != 0 })
            || bytes[..<12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
        if isEmbedded { return "the IPv4 address itself, not one inside an IPv6 address" }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &address, &buffer, socklen_t(INET6_ADDRSTRLEN)) != nil else { return "an IPv6 address" }
        let canonical = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return inner == canonical ? nil : "its shortest form, [\(canonical)]"
    }

    /// Whether a resolver may take it for a number: the last label consists of digits, or of `0x` and hexadecimal digits
    /// (WHATWG URL, "ends in a number").
    private static func looksNumeric(_ name: String) -> Bool {
        guard let last = name.split(separator: ".").last else { return true }
        if last.utf8.allSatisfy({ (48 ... 57).contains($0) }) { return true }
        return last.hasPrefix("0x") && last.utf8.dropFirst(2).allSatisfy { PercentEncoding.digit($0) != nil }
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }
}
