/// A model name in which `*` stands for any characters, none included.
package struct NamePattern: Sendable, Equatable {
    package let text: String
    private let pieces: [[UInt8]]

    /// - Parameter text: matched case-sensitively, byte by byte.
    package init(_ text: String) {
        self.text = text
        pieces = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map { Array($0) }
    }

    /// Bytes that must match literally: of two patterns that match, the one with more of them was meant.
    package var specificity: Int { pieces.reduce(0) { $0 + $1.count } }

    /// Whether the whole name fits.
    package func matches(_ name: String) -> Bool {
        var rest = Array(name.utf8)[...]
        guard let first = pieces.first, rest.starts(with: first) else { return false }
        rest = rest.dropFirst(first.count)
        guard pieces.count > 1, let last = pieces.last else { return rest.isEmpty }
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            // The leftmost place of every piece is as good as any: what follows may only be longer.
            guard let end = Self.end(of: piece, in: rest) else { return false }
            rest = rest[end...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    /// Whether every name that fits the pattern `other` fits this one.
    package func coversAll(of other: String) -> Bool {
        // A character no pattern may contain stands for "anything": who matches it does so with a * of its own.
        matches(other.replacing("*", with: "\u{1}"))
    }

    private static func end(of piece: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= piece.count else { return nil }
        for start in text.startIndex ... (text.endIndex - piece.count)
        where text[start ..< start + piece.count].elementsEqual(piece) {
            return start + piece.count
        }
        return nil
    }
}
