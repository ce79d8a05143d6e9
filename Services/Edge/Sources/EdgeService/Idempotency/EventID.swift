/// Ids of the events of kept streams, as clients send them back in `Last-Event-ID`.
package enum EventID {
    /// Digits of a number, so that it fits 64 bits.
    private static let digits = 1 ... 18
    /// Bytes of the name of a stream; ours are shorter.
    private static let name = 1 ... 64

    /// Whether `text` may be the id of an event: `<stream>.<fence>.<number>`, or the number alone.
    package static func isWellFormed(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return isNumber(parts[0])
        case 3: return name.contains(parts[0].count) && parts[0].allSatisfy(isNameByte) && parts[1 ... 2].allSatisfy(isNumber)
        default: return false
        }
    }

    private static func isNumber(_ text: Substring.UTF8View) -> Bool {
        digits.contains(text.count) && text.allSatisfy { (48 ... 57).contains($0) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
