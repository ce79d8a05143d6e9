import Crypto

/// SHA-256 of an API key. All session ever stores of one; looking it up reveals nothing about keys that are not known.
package struct KeyDigest: Hashable, Sendable {
    private let parts: (UInt64, UInt64, UInt64, UInt64)

    /// - Returns: nil unless `bytes` are 32.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        parts = Array(bytes).withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    /// The digest of a key as a client sends it.
    package init(of key: String) {
        var hash = SHA256()
        hash.update(data: Array(key.utf8))
        guard let digest = KeyDigest(Array(hash.finalize())) else { preconditionFailure("bug: SHA-256 is not 32 bytes") }
        self = digest
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        [parts.0, parts.1, parts.2, parts.3].flatMap { word in (0 ..< 8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    package static func == (left: Self, right: Self) -> Bool { left.parts == right.parts }

    package func hash(into hasher: inout Hasher) {
        // The bytes are uniformly distributed already; one word spreads them.
        hasher.combine(parts.0)
    }
}

/// A new API key: `bh_` and 32 random bytes in base64url (43 characters).
enum APIKey {
    static let prefix = "bh_"
    /// Characters of a key that are shown: `prefix` and four of the random ones, which leaves 234 bits to guess.
    static let shownLength = 7

    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + base64URL((0 ..< 32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// What of a key is shown.
    static func shown(_ key: String) -> String { String(key.prefix(shownLength)) }

    /// A public name for a key, which tells nothing about it.
    static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return "key_" + base64URL((0 ..< 12).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// RFC 4648 §5 without padding.
    static func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                text.append(alphabet[Int(bits >> UInt32(held) & 63)])
            }
        }
        if held > 0 { text.append(alphabet[Int(bits << UInt32(6 - held) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }
}
