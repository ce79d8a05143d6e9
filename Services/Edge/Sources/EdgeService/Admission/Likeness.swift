import BulkheadAPI

/// A number that calls have in common which are nearly the same: model and texts, without case, digits, white space and
/// punctuation. One pass; of long conversations the end, which is where they differ.
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

/// FNV-1a (Fowler, Noll, Vo) over letters, with what stands between them folded to one mark.
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
            let seen = bytes.suffix(limit)
            // What stands before the first letter and behind the last says nothing.
            var (isBetween, hasBegun) = (false, false)
            for byte in seen {
                guard let letter = Self.letter(byte) else {
                    isBetween = hasBegun
                    continue
                }
                if isBetween { mix(0x20) }
                (isBetween, hasBegun) = (false, true)
                value = (value ^ UInt64(letter)) &* 0x0000_0100_0000_01b3
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

    /// In lower case; nil for digits, white space, control and punctuation of ASCII.
    private static func letter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 97 ... 122, 128...: byte
        case 65 ... 90: byte | 0x20
        default: nil
        }
    }
}
