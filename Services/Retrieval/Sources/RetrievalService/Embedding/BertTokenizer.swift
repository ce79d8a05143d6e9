import Foundation

/// Texts to WordPiece ids as the uncased BERT models expect them: control characters go, white space and punctuation part
/// words, every Chinese character is a word, letters lose case and accents, and words become the longest known pieces.
///
/// Characters are told apart by the Unicode tables of the Swift runtime, as the reference implementation does by its own:
/// characters younger than either table may come out differently, nearly always as an unknown word at both.
///
/// `[CLS]` and the like inside a text are ordinary characters: a text cannot reach the model's special pieces.
package struct BertTokenizer: Sendable {
    /// Ids per text at most, with `[CLS]` and `[SEP]`; the model was trained with this many.
    package static let maximumTokens = 256
    /// A longer word is unknown: no real one is, and matching costs its square.
    private static let maximumWord = 100

    private let vocabulary: Vocabulary

    /// A tokenizer over `vocabulary`.
    package init(_ vocabulary: Vocabulary) { self.vocabulary = vocabulary }

    /// The ids of `text` between `[CLS]` and `[SEP]`; what does not fit is cut off.
    package func ids(_ text: String) -> [Int32] {
        var pieces = Pieces(vocabulary: vocabulary, limit: Self.maximumTokens - 1)
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            Self.ascii(text, into: &pieces)
        } else {
            Self.unicode(text, into: &pieces)
        }
        return pieces.finish()
    }

    /// The same rules as `unicode`, where each byte is a character.
    private static func ascii(_ text: String, into pieces: inout Pieces) {
        for byte in text.utf8 where !pieces.isFull {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: pieces.endWord()
            case 0x00 ..< 0x20, 0x7F: continue
            case UInt8(ascii: "A") ... UInt8(ascii: "Z"): pieces.append(byte | 0x20)
            case UInt8(ascii: "a") ... UInt8(ascii: "z"), UInt8(ascii: "0") ... UInt8(ascii: "9"): pieces.append(byte)
            default: pieces.punctuation(byte)
            }
        }
    }

    private static func unicode(_ text: String, into pieces: inout Pieces) {
        for scalar in cleaned(text).decomposedStringWithCanonicalMapping.unicodeScalars where !pieces.isFull {
            if scalar.properties.generalCategory == .nonspacingMark { continue }
            for lowered in scalar.properties.lowercaseMapping.unicodeScalars {
                if lowered == " " {
                    pieces.endWord()
                } else if lowered.isChinese || lowered.isPunctuation {
                    pieces.word(of: lowered)
                } else {
                    pieces.append(lowered)
                }
            }
        }
    }

    /// Without control characters, and every white space a plain space.
    private static func cleaned(_ text: String) -> String {
        var cleaned = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !scalar.isDropped {
            cleaned.append(scalar.properties.isWhitespace ? " " : scalar)
        }
        return String(cleaned)
    }

    /// The word in progress and the ids so far.
    private struct Pieces {
        let vocabulary: Vocabulary
        /// Ids before `[SEP]` at most.
        let limit: Int
        var ids: [Int32]
        var word: [UInt8] = []
        /// Characters in `word`.
        var length = 0

        init(vocabulary: Vocabulary, limit: Int) {
            self.vocabulary = vocabulary
            self.limit = limit
            ids = [vocabulary.start]
        }

        var isFull: Bool { ids.count >= limit }

        mutating func append(_ byte: UInt8) {
            length += 1
            if length <= maximumWord { word.append(byte) }
        }

        mutating func append(_ scalar: Unicode.Scalar) {
            length += 1
            if length <= maximumWord { word.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
        }

        mutating func punctuation(_ byte: UInt8) {
            endWord()
            append(byte)
            endWord()
        }

        mutating func word(of scalar: Unicode.Scalar) {
            endWord()
            append(scalar)
            endWord()
        }

        mutating func endWord() {
            guard length > 0 else { return }
            if length > maximumWord { ids.append(vocabulary.unknown) } else { match() }
            word.removeAll(keepingCapacity: true)
            length = 0
        }

        /// Greedy longest match; a word with a part that has no piece is unknown as a whole.
        private mutating func match() {
            let before = ids.count
            var rest = word[...]
            while !rest.isEmpty {
                guard let piece = vocabulary.longestPrefix(of: rest, goesOn: rest.startIndex > 0) else {
                    ids.removeSubrange(before...)
                    ids.append(vocabulary.unknown)
                    return
                }
                ids.append(piece.id)
                rest = rest.dropFirst(piece.length)
            }
        }

        mutating func finish() -> [Int32] {
            endWord()
            if ids.count > limit { ids.removeSubrange(limit...) }
            ids.append(vocabulary.end)
            return ids
        }
    }
}

extension Unicode.Scalar {
    /// Control, format, private, and what cannot be decoded. Tab and line ends are white space instead.
    fileprivate var isDropped: Bool {
        if self == "\t" || self == "\n" || self == "\r" { return false }
        if value == 0 || value == 0xFFFD { return true }
        switch properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: return true
        default: return false
        }
    }

    /// What BERT's vocabularies call Chinese: the CJK ideograph blocks, not kana or hangul.
    fileprivate var isChinese: Bool {
        switch value {
        case 0x4E00 ... 0x9FFF, 0x3400 ... 0x4DBF, 0x20000 ... 0x2A6DF, 0x2A700 ... 0x2B73F, 0x2B740 ... 0x2B81F,
            0x2B920 ... 0x2CEAF, 0xF900 ... 0xFAFF, 0x2F800 ... 0x2FA1F:
            true
        default: false
        }
    }

    /// Unicode's P categories, and every ASCII character that is no letter, digit or space.
    fileprivate var isPunctuation: Bool {
        switch value {
        case 33 ... 47, 58 ... 64, 91 ... 96, 123 ... 126: return true
        default: break
        }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return true
        default: return false
        }
    }
}
