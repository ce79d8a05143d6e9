/// The provider's idea of a token: four bytes of UTF-8, a little more where a character would be cut.
enum Tokens {
    private static let size = 4

    /// How many tokens `text` has.
    static func count(_ text: String) -> Int {
        var count = 0
        each(of: text) { _ in count += 1 }
        return count
    }

    /// The tokens of `text` in order.
    static func split(_ text: String) -> [String] {
        var tokens: [String] = []
        each(of: text) { tokens.append(String(decoding: $0, as: UTF8.self)) }
        return tokens
    }

    private static func each(of text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            while start < utf8.count {
                var end = min(start + size, utf8.count)
                while end < utf8.count, utf8[end] & 0xc0 == 0x80 { end += 1 }
                body(UnsafeBufferPointer(rebasing: utf8[start ..< end]))
                start = end
            }
        }
    }
}
