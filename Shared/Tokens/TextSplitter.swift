/// Splits text into the pieces within which tokens are made, as the patterns of the published vocabularies do.
///
/// Both patterns are lists of alternatives of which the first that matches counts; each function below is one alternative, in
/// that order, and looks at every byte a bounded number of times: no text makes it slow.
struct TextSplitter {
    private let text: UnsafeBufferPointer<UInt8>
    private let vocabulary: TokenVocabulary
    private var position = 0

    /// - Parameter text: well-formed UTF-8, valid as long as this is used.
    init(_ text: UnsafeBufferPointer<UInt8>, _ vocabulary: TokenVocabulary) {
        self.text = text
        self.vocabulary = vocabulary
    }

    /// The next piece, never empty; nil at the end.
    mutating func next() -> Range<Int>? {
        guard position < text.count else { return nil }
        let start = position
        position = vocabulary == .cl100k ? cl100k(start) : o200k(start)
        return start ..< position
    }

    // MARK: cl100k_base: contraction | letters | numbers | other | spaces

    private func cl100k(_ start: Int) -> Int {
        let (first, second) = look(start)
        if let end = contraction(start) { return end }
        if first.isOne(of: .letter) { return run(of: .letter, from: second) }
        if !first.isOne(of: [.lineEnd, .number]), second < text.count {
            let (next, after) = look(second)
            if next.isOne(of: .letter) { return run(of: .letter, from: after) }
        }
        return numbers(start) ?? other(start, andSlashes: false) ?? spaces(start, toTheEndFirst: true)
    }

    // MARK: o200k_base: capitalised word | word in capitals | numbers | other | spaces

    private func o200k(_ start: Int) -> Int {
        let (first, second) = look(start)
        // One scalar that is no letter may come first; a mark may be that or belong to the word.
        let takesOne = !first.isOne(of: [.letter, .number, .lineEnd])
        let isWord = first.isOne(of: [.letter, .mark])
        if takesOne, let end = word(second) { return end }
        if isWord, let end = word(start) { return end }
        if takesOne, let end = capitals(second) { return end }
        if isWord, let end = capitals(start) { return end }
        return numbers(start) ?? other(start, andSlashes: true) ?? spaces(start, toTheEndFirst: false)
    }

    /// Any of `head`, then at least one of `tail`. What is in both belongs to the head unless the tail needs one.
    private func word(_ start: Int) -> Int? {
        var at = start
        var lastOfBoth: Int?
        while at < text.count {
            let (kind, next) = look(at)
            guard kind.isOne(of: .head) else { break }
            if kind.isOne(of: .tail) { lastOfBoth = next }
            at = next
        }
        let end = run(of: .tail, from: at)
        if end > at { return contraction(end) ?? end }
        guard let lastOfBoth else { return nil }
        return contraction(lastOfBoth) ?? lastOfBoth
    }

    /// At least one of `head`, then any of `tail`.
    private func capitals(_ start: Int) -> Int? {
        let heads = run(of: .head, from: start)
        guard heads > start else { return nil }
        let end = run(of: .tail, from: heads)
        return contraction(end) ?? end
    }

    // MARK: what both have

    /// One to three numbers.
    private func numbers(_ start: Int) -> Int? {
        var at = start
        for _ in 0 ..< 3 where at < text.count {
            let (kind, next) = look(at)
            guard kind.isOne(of: .number) else { break }
            at = next
        }
        return at > start ? at : nil
    }

    /// A space perhaps, at least one that is no space, letter or number, and the line ends behind it.
    private func other(_ start: Int, andSlashes: Bool) -> Int? {
        var at = text[start] == UInt8(ascii: " ") ? start + 1 : start
        let first = at
        while at < text.count {
            let (kind, next) = look(at)
            guard !kind.isOne(of: [.space, .letter, .number]) else { break }
            at = next
        }
        guard at > first else { return nil }
        while at < text.count, isLineEnd(text[at]) || andSlashes && text[at] == UInt8(ascii: "/") { at += 1 }
        return at
    }

    /// Spaces: up to the last line end among them; else all but the last, which goes with what follows.
    /// - Parameter toTheEndFirst: spaces at the end of the text are one piece, whatever line ends they have.
    private func spaces(_ start: Int, toTheEndFirst: Bool) -> Int {
        var at = start
        var last = start
        var lineEnd: Int?
        while at < text.count {
            let (kind, next) = look(at)
            guard kind.isOne(of: .space) else { break }
            if kind.isOne(of: .lineEnd) { lineEnd = next }
            last = at
            at = next
        }
        if toTheEndFirst, at == text.count { return at }
        if let lineEnd { return lineEnd }
        if at == text.count || last == start { return max(at, look(start).next) }
        return last
    }

    private func run(of classes: ScalarClass, from start: Int) -> Int {
        var at = start
        while at < text.count {
            let (kind, next) = look(at)
            guard kind.isOne(of: classes) else { break }
            at = next
        }
        return at
    }

    /// The end of 's, 't, 'd, 'm, 'll, 've or 're in any case, if there is one here. A long s (U+017F) is an s.
    private func contraction(_ start: Int) -> Int? {
        guard start + 1 < text.count, text[start] == UInt8(ascii: "'") else { return nil }
        let first = text[start + 1] | 0x20
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "d"), UInt8(ascii: "m"): return start + 2
        case 0xc5 | 0x20:
            return text[start + 1] == 0xc5 && start + 2 < text.count && text[start + 2] == 0xbf ? start + 3 : nil
        default: break
        }
        guard start + 2 < text.count else { return nil }
        switch (first, text[start + 2] | 0x20) {
        case (UInt8(ascii: "l"), UInt8(ascii: "l")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "r"), UInt8(ascii: "e")):
            return start + 3
        default: return nil
        }
    }

    private func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    /// The class of the scalar at a position, and where the next one begins.
    @inline(__always)
    private func look(_ at: Int) -> (kind: ScalarClass, next: Int) {
        let byte = text[at]
        return byte < 0x80 ? (ScalarClass(ascii: byte), at + 1) : lookFar(at)
    }

    /// Of a scalar beyond ASCII. Text is well-formed: as many bytes follow as the first one says.
    private func lookFar(_ at: Int) -> (kind: ScalarClass, next: Int) {
        let first = UInt32(text[at])
        let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        var value = first & (0x7f >> UInt32(length))
        for index in 1 ..< length { value = value << 6 | UInt32(text[at + index] & 0x3f) }
        let kind = Unicode.Scalar(value).map { ScalarClass($0) } ?? []
        return (kind, at + length)
    }
}
