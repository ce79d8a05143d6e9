import Glibc

/// Recognises values that are secrets rather than names of secrets. A miss costs a leaked key, a false alarm costs a
/// rename: in doubt it says yes, but never for a sentence, a path, a URL without credentials or a NAME.
enum SecretShape {
    static let advice = "the name of a secret, such as OPENAI_API_KEY; store its value with bulkhead-credentials set NAME"

    /// How issued keys begin, and how many characters of a key at least follow.
    private static let prefixes: [(text: String, minimum: Int)] = [
        ("sk-", 16), ("sk_", 16), ("pk_live_", 16), ("rk_live_", 16), ("AKIA", 16), ("ASIA", 16), ("AIza", 30),
        ("ghp_", 20), ("gho_", 20), ("ghu_", 20), ("ghs_", 20), ("ghr_", 20), ("github_pat_", 20), ("glpat-", 16),
        ("xoxb-", 10), ("xoxp-", 10), ("xoxa-", 10), ("xoxr-", 10), ("xoxs-", 10), ("bh_", 16), ("whsec_", 16),
        ("hf_", 24), ("gsk_", 24), ("xai-", 24), ("pplx-", 24), ("eyJ", 40),
    ]
    /// Keys whose value is a secret or the name of one.
    private static let telling = ["secret", "password", "passwd", "token", "api_key", "apikey", "private_key", "access_key"]

    /// Whether `value`, found at `key` (the last part of the path), looks like a secret.
    static func matches(_ value: String, key: String) -> Bool {
        if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY") { return true }
        if containsIssuedKey(value) { return true }
        let name = key.lowercased()
        return telling.contains { name == $0 || name.hasSuffix("_" + $0) } && isRandom(value)
    }

    /// A NAME as secrets are referred to: `[A-Z][A-Z0-9_]*`, at most 64 characters.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (65 ... 90).contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy { (65 ... 90).contains($0) || (48 ... 57).contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// The text with the password of a URL replaced, so that it can be shown.
    static func maskingPassword(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else { return text }
        return text[...colon] + ConfigProblem.hidden + text[at...]
    }

    private static func containsIssuedKey(_ value: String) -> Bool {
        // Words of the alphabet of keys; a prefix counts only where a word begins, so that `task-…` is none.
        for word in value.utf8.split(whereSeparator: { !isKeyByte($0) }) {
            for (text, minimum) in prefixes where word.starts(with: text.utf8) {
                let rest = word.dropFirst(text.utf8.count)
                if rest.count >= minimum, rest.contains(where: { (48 ... 57).contains($0) }) { return true }
            }
        }
        return false
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isRandom(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        let isNamed = isName(value) && bytes.contains(UInt8(ascii: "_"))
        guard bytes.count >= 32, !isNamed, !bytes.contains(UInt8(ascii: " ")) else { return false }
        return entropy(bytes) >= 3
    }

    /// Shannon entropy in bits a byte: 4 for random hexadecimal digits, about 5 for 32 random base64 ones.
    private static func entropy(_ bytes: [UInt8]) -> Double {
        var counts = [Double](repeating: 0, count: 256)
        for byte in bytes { counts[Int(byte)] += 1 }
        let total = Double(bytes.count)
        return counts.lazy.filter { $0 > 0 }.reduce(0) { $0 - $1 / total * log2($1 / total) }
    }
}
