/// The provider's idea of a token: four bytes of UTF-8, a little more where a character would be cut.
enum Tokens {
    static let size = 4

    /// How many tokens `text` has, whole characters aside.
    static func count(_ text: String) -> Int { (text.utf8.count + size - 1) / size }

    /// The tokens of `text` in order.
    static func split(_ text: String) -> [Substring] {
        var tokens: [Substring] = []
        tokens.reserveCapacity(count(text))
        var start = text.startIndex
        let utf8 = text.utf8
        while start < text.endIndex {
            var end = utf8.index(start, offsetBy: size, limitedBy: text.endIndex) ?? text.endIndex
            while end < text.endIndex, utf8[end] & 0xc0 == 0x80 { end = utf8.index(after: end) }
            tokens.append(text[start..<end])
            start = end
        }
        return tokens
    }
}
