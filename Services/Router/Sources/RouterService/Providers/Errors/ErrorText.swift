/// Providers' words made fit for logs and callers.
enum ErrorText {
    /// How issued keys begin. The vault's own secrets are taken out by the credentials service; these are others that
    /// providers and their proxies quote.
    private static let keys = ["sk-", "sk_", "AIza", "AKIA", "ASIA", "gsk_", "xai-", "hf_", "bh_", "eyJ", "pplx-"]
    /// What stands before a credential in a header.
    private static let marks = ["Bearer ", "bearer ", "Basic "]
    private static let shownOfKey = 6
    private static let shortestKey = 12

    /// One line without control characters, cut with a mark.
    static func line(_ text: String, most: Int) -> String {
        let visible = text.unicodeScalars.lazy.prefix(most + 1).map { scalar -> Unicode.Scalar in
            scalar.properties.generalCategory == .control ? " " : scalar
        }
        let line = String(String.UnicodeScalarView(visible))
        return line.unicodeScalars.count > most ? String(line.unicodeScalars.prefix(most)) + "…" : line
    }

    /// The text with everything that looks like a key cut to its beginning.
    static func masked(_ text: String) -> String {
        guard (keys + marks).contains(where: { text.contains($0) }) else { return text }
        var result = ""
        var rest = text[...]
        while !rest.isEmpty {
            let other = rest.prefix { !isKeyCharacter($0) }
            result += other
            rest = rest.dropFirst(other.count)
            let word = rest.prefix { isKeyCharacter($0) }
            let isCredential = word.utf8.count >= shortestKey && marks.contains { result.hasSuffix($0) }
            result += isKey(word) || isCredential ? word.prefix(shownOfKey) + "…" : word
            rest = rest.dropFirst(word.count)
        }
        return result
    }

    private static func isKey(_ word: Substring) -> Bool {
        word.utf8.count >= shortestKey && keys.contains { word.hasPrefix($0) }
    }

    private static func isKeyCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "-_*.".contains(character))
    }
}
