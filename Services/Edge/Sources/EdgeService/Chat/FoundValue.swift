import BulkheadJSON

/// A value of a request as an error shows it: at most 64 bytes, on one line, and nothing that may be a secret or a piece of a
/// prompt: a string is quoted only if it is one word.
enum FoundValue {
    private static let longest = 64
    private static let shortestKey = 12
    /// How issued keys begin.
    private static let keys = [
        "sk-", "sk_", "pk_", "rk_", "bh_", "AIza", "AKIA", "ASIA", "gh", "glpat-", "xox", "whsec_", "hf_", "gsk_", "xai-",
        "pplx-",
        "eyJ",
    ]

    static func text(_ value: JSON) -> String {
        switch value {
        case .string(""): "an empty string"
        case .string(let text): isWord(text) ? "\"\(text)\"" : "a string of \(text.utf8.count) bytes"
        case .array(let items): items.isEmpty ? "an empty array" : "an array of \(items.count)"
        case .object: "an object"
        default: value.text()
        }
    }

    /// A name of a member; one that is no word is told by its length.
    static func name(_ name: String) -> String { isWord(name) ? name : "(a name of \(name.utf8.count) bytes)" }

    private static func isWord(_ text: String) -> Bool {
        guard text.utf8.count <= longest, text.utf8.allSatisfy(isWordByte) else { return false }
        return !text.utf8.split(whereSeparator: { !isKeyByte($0) }).contains(where: looksLikeKey)
    }

    private static func looksLikeKey(_ word: Substring.UTF8View) -> Bool {
        guard word.count >= shortestKey else { return false }
        if keys.contains(where: { word.starts(with: $0.utf8) }) { return true }
        // Names of models are words between hyphens; what is random has none.
        return word.split(whereSeparator: { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }).contains { $0.count >= 20 }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        isKeyByte(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "/")
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
