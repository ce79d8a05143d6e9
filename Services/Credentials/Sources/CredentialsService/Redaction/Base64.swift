/// Base64 (RFC 4648 §4) without padding rules of its own: what echoes of secrets look like.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let group =
                UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[index + 2]) : 0)
            out.append(alphabet[Int(group >> 18 & 63)])
            out.append(alphabet[Int(group >> 12 & 63)])
            out.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "="))
            out.append(left > 2 ? alphabet[Int(group & 63)] : UInt8(ascii: "="))
            index += 3
        }
        return out
    }

    /// The characters every base64 text shows that holds `bytes` at an offset of `shift` (0 … 2) modulo 3: those that depend
    /// on neither what precedes nor what follows.
    static func core(_ bytes: [UInt8], shift: Int) -> [UInt8] {
        let encoded = encode([UInt8](repeating: 0, count: shift) + bytes)
        let first = (shift * 8 + 5) / 6
        let last = (shift + bytes.count) * 8 / 6
        return first < last ? Array(encoded[first ..< last]) : []
    }

    /// The same text in the URL-safe alphabet.
    static func urlSafe(_ encoded: [UInt8]) -> [UInt8] {
        encoded.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }
    }

    /// The bytes of a text with or without padding; nil when it is not base64.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let digits = text.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
        guard text.count - digits.count <= 2, digits.count % 4 != 1 else { return nil }
        var (bytes, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        for digit in digits {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(bits >> UInt32(count) & 255))
        }
        return bytes
    }
}
