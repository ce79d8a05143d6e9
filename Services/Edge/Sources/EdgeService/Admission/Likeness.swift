import BulkheadAPI

/// A number that calls have in common which are nearly the same: model and texts, without case, white space and punctuation, and
/// with one mark for each time of day and each UUID. Other digits count: the rows of a table are different questions. One pass;
/// of long conversations the end, which is where they differ.
package enum Likeness {
    /// Bytes of text that are looked at.
    package static let limit = 64 << 10
    /// What is left to be looked at is cut in steps: a letter more behind a text does not move its cut.
    private static let step = 4 << 10
    /// Bytes of a picture, a sound or a document that are looked at, at each end.
    private static let sample = 256

    /// Never 0.
    package static func of(_ chat: ChatAPI.ChatRequest) -> UInt64 {
        var hash = FoldedHash()
        hash.addExactly(chat.model, sample: sample)
        hash.mix(UInt64(chat.messages.count))
        var left = limit
        for message in chat.messages.reversed() where left > 0 {
            hash.mix(UInt64(message.role.rawValue))
            for part in message.parts.reversed() where left > 0 {
                hash.mix(UInt64(part.kind.rawValue))
                if [.image, .audio, .document].contains(part.kind) {
                    hash.addExactly(part.url ?? part.text, sample: sample)
                } else {
                    left -= hash.add(part.text, limit: cut(left))
                    if let json = part.json { left -= hash.add(json, limit: cut(left)) }
                }
            }
        }
        return max(1, hash.value)
    }

    private static func cut(_ left: Int) -> Int { max(0, left) / step * step }
}

/// FNV-1a (Fowler, Noll, Vo) over words, with what stands between them folded to one mark.
private struct FoldedHash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01b3
        value ^= value >> 29
    }

    /// - Returns: bytes looked at: the last ones, at most `limit`.
    @discardableResult
    mutating func add(_ text: String, limit: Int) -> Int {
        var text = text
        return text.withUTF8 { bytes in
            let seen = UnsafeBufferPointer(rebasing: bytes.suffix(limit))
            // What stands before the first word and behind the last says nothing.
            var (isBetween, hasBegun, index) = (true, false, 0)
            while index < seen.count {
                guard let letter = Self.letter(seen[index]) else {
                    isBetween = true
                    index += 1
                    continue
                }
                let passing = PassingWord.length(in: seen, at: index)
                if isBetween, hasBegun { mix(0x20) }
                (isBetween, hasBegun) = (false, true)
                value = (value ^ UInt64(passing > 0 ? 0x01 : letter)) &* 0x0000_0100_0000_01b3
                index += max(1, passing)
            }
            mix(0xff)
            return seen.count
        }
    }

    /// Length, beginning and end as they are: for what no letter can be folded in.
    mutating func addExactly(_ text: String, sample: Int) {
        var text = text
        text.withUTF8 { bytes in
            mix(UInt64(bytes.count))
            for byte in bytes.prefix(sample) { mix(UInt64(byte)) }
            for byte in bytes.suffix(sample) { mix(UInt64(byte)) }
        }
    }

    /// In lower case; nil for white space, control and the punctuation of sentences. Signs that calculate or name something stay.
    private static func letter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 97 ... 122, 48 ... 57, 128...: byte
        case 65 ... 90: byte | 0x20
        case UInt8(ascii: "#") ... UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "/"), UInt8(ascii: "<") ... UInt8(ascii: ">"), UInt8(ascii: "@"), UInt8(ascii: "\\"),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            byte
        default: nil
        }
    }
}

/// Words that say when or in which run a call was made, and not what it asks for. A date without a time of day is none: a batch
/// may go over days.
private enum PassingWord {
    private typealias Bytes = UnsafeBufferPointer<UInt8>

    /// `d` is a decimal digit, `h` a hexadecimal one, all else itself. The longest of each kind first.
    private static let forms: [[UInt8]] = [
        "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "dddd-dd-ddTdd:dd:dd", "dddd-dd-dd dd:dd:dd",
        "dddd-dd-ddTdd:dd", "dddd-dd-dd dd:dd", "dd:dd:dd",
    ].map { Array($0.utf8) }
    /// Digits of a time since 1970 in seconds, milli-, micro- and nanoseconds.
    private static let epochs: Set<Int> = [10, 13, 16, 19]

    /// Bytes of such a word that begins at `index`; 0: none does.
    static func length(in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        // Nearly every word ends here.
        guard isHex(bytes[index]), index + 8 <= bytes.count, isHex(bytes[index + 1]), index == 0 || isEnd(bytes, index - 1) else {
            return 0
        }
        for form in forms where matches(form, bytes, index) {
            let end = index + form.count
            // A time of day may have a fraction and a zone.
            return isDigit(bytes[index]) && form.contains(UInt8(ascii: ":")) ? zoned(bytes, end) - index : form.count
        }
        var end = index
        while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        guard epochs.contains(end - index), isEnd(bytes, end) else { return 0 }
        // From 2017 to 2033.
        return bytes[index] == UInt8(ascii: "1") && bytes[index + 1] >= UInt8(ascii: "5") ? end - index : 0
    }

    private static func matches(_ form: [UInt8], _ bytes: Bytes, _ index: Int) -> Bool {
        guard index + form.count <= bytes.count else { return false }
        for (offset, sign) in form.enumerated() {
            let byte = bytes[index + offset]
            let isRight =
                switch sign {
                case UInt8(ascii: "d"): isDigit(byte)
                case UInt8(ascii: "h"): isHex(byte)
                default: byte == sign
                }
            if !isRight { return false }
        }
        let isClock = form.contains(UInt8(ascii: ":"))
        return isClock ? !isFurther(bytes, index + form.count) : isEnd(bytes, index + form.count)
    }

    /// The end of a fraction of a second, and a zone: `.123Z`, `+01:00`.
    private static func zoned(_ bytes: Bytes, _ from: Int) -> Int {
        var end = from
        if end + 1 < bytes.count, bytes[end] == UInt8(ascii: "."), isDigit(bytes[end + 1]) {
            end += 1
            while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        }
        if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "z"), isEnd(bytes, end + 1) { return end + 1 }
        let zone = Array("+dd:dd".utf8)
        if end < bytes.count, bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+"), end + zone.count <= bytes.count,
            isDigit(bytes[end + 1]), isDigit(bytes[end + 2]), bytes[end + 3] == UInt8(ascii: ":"), isDigit(bytes[end + 4]),
            isDigit(bytes[end + 5])
        {
            return end + zone.count
        }
        return end
    }

    /// Whether a time goes on at `end`, and so is none of this form.
    private static func isFurther(_ bytes: Bytes, _ end: Int) -> Bool {
        end < bytes.count && (isDigit(bytes[end]) || bytes[end] == UInt8(ascii: ":"))
    }

    /// Whether no letter and no digit stands at `end`.
    private static func isEnd(_ bytes: Bytes, _ end: Int) -> Bool {
        guard end < bytes.count else { return true }
        switch bytes[end] {
        case 48 ... 57, 65 ... 90, 97 ... 122, 128..., UInt8(ascii: "-"), UInt8(ascii: "_"): return false
        default: return true
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48 ... 57).contains(byte) }

    private static func isHex(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a") ... UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
