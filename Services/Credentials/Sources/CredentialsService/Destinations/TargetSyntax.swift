/// What a caller's path and query may look like. The rules leave one spelling only, so that this process and the upstream
/// cannot read two things into one path.
package enum TargetSyntax {
    /// Longest path and query, in bytes.
    package static let maxBytes = 32 << 10

    /// What is wrong with a raw path; nil when nothing is. Never repeats the path.
    package static func pathProblem(_ path: String) -> String? {
        let bytes = path.utf8
        guard bytes.first == UInt8(ascii: "/") else { return "the path does not begin with '/'" }
        guard bytes.count <= maxBytes else { return "the path is longer than \(maxBytes) bytes" }
        guard bytes.allSatisfy(isPathByte) else {
            return "the path holds a character that has to be percent-encoded (or '#', '?' or '\\')"
        }
        guard let escapes = escapes(bytes) else { return "the path has an incomplete percent escape" }
        // '/', '\', '.', '#', '?', '%' and control characters: an upstream that decodes them sees another path.
        if escapes.contains(where: { $0 < 32 || $0 == 127 || "/\\.#?%".utf8.contains($0) }) {
            return "the path hides a '/', '\\', '.', '#', '?', '%' or control character in a percent escape"
        }
        // Bytes that no UTF-8 text holds: two of them can spell a '.' or '/' to a lenient decoder.
        if escapes.contains(where: { $0 == 0xc0 || $0 == 0xc1 || $0 >= 0xf5 }) {
            return "the path has a percent escape that is no UTF-8"
        }
        return segmentProblem(path)
    }

    private static func segmentProblem(_ path: String) -> String? {
        let segments = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            if segment.isEmpty, index < segments.count - 1 { return "the path has an empty segment ('//')" }
            // `..;x` is `..` to some servers, and so is `..%3Bx`; `/;x/` is `//`.
            let name = segment.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "%") }
            if name.isEmpty, segment.first == UInt8(ascii: ";") { return "the path has a segment of parameters only ('/;')" }
            if !name.isEmpty, name.count <= 2, name.allSatisfy({ $0 == UInt8(ascii: ".") }) {
                return "the path has a '.' or '..' segment"
            }
        }
        return nil
    }

    /// The raw query with the characters encoded that people leave as they are (`[`, `]`, `|`, …).
    /// - Returns: nil when it holds control characters, spaces, `#`, non-ASCII or an incomplete escape.
    package static func query(_ text: String) -> String? {
        let bytes = text.utf8
        guard bytes.count <= maxBytes, bytes.allSatisfy({ (33 ... 126).contains($0) && $0 != UInt8(ascii: "#") }),
            escapes(bytes) != nil
        else { return nil }
        if bytes.allSatisfy(isQueryByte) { return text }
        var encoded: [UInt8] = []
        for byte in bytes {
            if isQueryByte(byte) { encoded.append(byte) } else { PercentEncoding.append(byte, to: &encoded) }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// The decoded bytes of all percent escapes; nil when one is incomplete.
    private static func escapes(_ bytes: String.UTF8View) -> [UInt8]? {
        var found: [UInt8] = []
        var rest = bytes[...]
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[rest.index(after: percent)...]
            guard rest.count >= 2 else { return nil }
            let digits = rest.prefix(2).compactMap(PercentEncoding.digit)
            guard digits.count == 2 else { return nil }
            found.append(digits[0] << 4 | digits[1])
        }
        return found
    }

    /// RFC 3986 pchar, `/` and `%`.
    private static func isPathByte(_ byte: UInt8) -> Bool {
        PercentEncoding.isUnreserved(byte) || "/%!$&'()*+,;=:@".utf8.contains(byte)
    }

    private static func isQueryByte(_ byte: UInt8) -> Bool { isPathByte(byte) || byte == UInt8(ascii: "?") }
}

/// Percent-encoding of bytes (RFC 3986).
enum PercentEncoding {
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }

    /// All but unreserved characters encoded.
    static func encode(_ bytes: some Sequence<UInt8>, lowercase: Bool = false) -> [UInt8] {
        var encoded: [UInt8] = []
        for byte in bytes {
            if isUnreserved(byte) { encoded.append(byte) } else { append(byte, to: &encoded, lowercase: lowercase) }
        }
        return encoded
    }

    static func append(_ byte: UInt8, to encoded: inout [UInt8], lowercase: Bool = false) {
        let digits = Array((lowercase ? "0123456789abcdef" : "0123456789ABCDEF").utf8)
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48 ... 57: byte - 48
        case 65 ... 70: byte - 55
        case 97 ... 102: byte - 87
        default: nil
        }
    }
}
