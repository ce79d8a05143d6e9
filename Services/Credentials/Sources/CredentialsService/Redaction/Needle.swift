import Glibc

/// One form of a secret: a run of bytes of the store of all forms.
struct Needle: Sendable {
    /// Where it begins in the store.
    let start: Int
    /// Bytes.
    let count: Int
    /// Whether it is base64, which may be wrapped (RFC 2045 at 76, RFC 7468 at 64 characters) between any two of its characters.
    let isWrappable: Bool

    /// What a text has of a needle at some place.
    enum Match: Equatable {
        case none
        /// All of the text's rest: it may become the needle.
        case beginning
        /// The needle, up to this place in the text.
        case whole(Int)
    }

    /// A line break, its escapes and the indentation behind it.
    private static let longestBreak = 24
    /// A break after fewer characters than this is no reason to hold a text back: most lines of any text end in some character
    /// that a needle begins with. At worst these characters of a base64 text are not taken out, when the text was cut there.
    private static let heldBeforeBreak = 4
    private static let shortestLine = 60

    /// The longest text that can be this needle.
    var longestSpelling: Int { isWrappable ? count + Self.longestBreak * (count / Self.shortestLine + 1) : count }

    /// Compares from an element of the needle on.
    func match(_ text: UnsafeRawBufferPointer, _ place: Int, _ secret: UnsafeRawPointer, from element: Int) -> Match {
        let left = text.count - place
        if !isWrappable {
            guard let base = text.baseAddress, memcmp(base + place, secret + start, min(left, count)) == 0 else { return .none }
            return left >= count ? .whole(place + count) : .beginning
        }
        var (place, element, breaks) = (place, element, 0)
        while element < count {
            guard place < text.count else { return .beginning }
            if text[place] == secret.load(fromByteOffset: start + element, as: UInt8.self) {
                place += 1
                element += 1
                continue
            }
            let next = Self.afterBreak(text, place)
            guard next > place, element > 0, breaks <= count / Self.shortestLine else { return .none }
            if next >= text.count { return element >= Self.heldBeforeBreak ? .beginning : .none }
            breaks += 1
            place = next
        }
        return .whole(place)
    }

    /// Where the needle begins that has this anchor at `place`; where its first few characters have left already (`heldBeforeBreak`), the rest of it.
    func beginning(
        of anchor: NeedleFilter.Anchor, at place: Int, in text: UnsafeRawBufferPointer, notBefore first: Int,
        _ secret: UnsafeRawPointer
    ) -> (text: Int, element: Int)? {
        var (at, element) = (place, anchor.start - start)
        while element > 0 {
            let before = Self.beforeBreak(text, at, notBefore: first)
            guard before > first else { return element < Self.heldBeforeBreak ? (at, element) : nil }
            // The escape of a line break of which only the letter is left.
            if before == first + 1, element < Self.heldBeforeBreak,
                text[first] == UInt8(ascii: "n") || text[first] == UInt8(ascii: "r"),
                text[first] != secret.load(fromByteOffset: start + element - 1, as: UInt8.self)
            {
                return (at, element)
            }
            at = before - 1
            element -= 1
        }
        return (at, element)
    }

    /// The place behind one line break and its indentation; `place` itself when there is none. What ends in the middle of one
    /// counts as one.
    private static func afterBreak(_ text: UnsafeRawBufferPointer, _ place: Int) -> Int {
        var at = place
        for (raw, escape) in [(UInt8(ascii: "\r"), UInt8(ascii: "r")), (UInt8(ascii: "\n"), UInt8(ascii: "n"))] {
            guard at < text.count else { break }
            if text[at] == raw {
                at += 1
            } else if text[at] == UInt8(ascii: "\\") {
                if at + 1 == text.count { return at + 1 }
                if text[at + 1] == escape { at += 2 }
            }
        }
        guard at > place else { return place }
        while at < text.count, at - place < longestBreak, text[at] == 32 || text[at] == 9 { at += 1 }
        return at
    }

    /// The same backwards.
    private static func beforeBreak(_ text: UnsafeRawBufferPointer, _ place: Int, notBefore first: Int) -> Int {
        var at = place
        while at > first, text[at - 1] == 32 || text[at - 1] == 9 { at -= 1 }
        if at == first { return first }
        let behind = at
        for (raw, escape) in [(UInt8(ascii: "\n"), UInt8(ascii: "n")), (UInt8(ascii: "\r"), UInt8(ascii: "r"))] where at > first {
            if text[at - 1] == raw {
                at -= 1
            } else if at - 1 > first, text[at - 1] == escape, text[at - 2] == UInt8(ascii: "\\") {
                at -= 2
            }
        }
        return at < behind ? at : place
    }
}
