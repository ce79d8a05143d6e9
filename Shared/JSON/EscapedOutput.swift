/// Writes the characters of a JSON string to memory whose size the caller has made sure of.
struct EscapedOutput {
    private let space: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    @inline(__always)
    mutating func open(_ before: UInt8?) {
        if let before { put(before) }
        put(UInt8(ascii: "\""))
    }

    @inline(__always)
    mutating func close(_ after: UInt8?) {
        put(UInt8(ascii: "\""))
        if let after { put(after) }
    }

    @inline(__always)
    mutating func put(_ text: UnsafeBufferPointer<UInt8>) {
        let source = UnsafeRawBufferPointer(text)
        var index = 0
        while index < source.count {
            // Eight bytes at once while none of them needs an escape.
            while index + 8 <= source.count {
                let word = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                if Self.needsEscape(word) { break }
                space.storeBytes(of: word, toByteOffset: count, as: UInt64.self)
                index += 8
                count += 8
            }
            let end = min(index + 8, source.count)
            while index < end {
                putEscaped(source[index])
                index += 1
            }
        }
    }

    // Finds a quote, a backslash or a byte below 0x20 by the borrow that a subtraction leaves in a byte's top bit. Bytes
    // above the lowest such one may be false alarms, which only cost the slow way.
    @inline(__always)
    private static func needsEscape(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5c)
        let found = (word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        return found & (ones &* 0x80) != 0
    }

    @inline(__always)
    private mutating func putEscaped(_ byte: UInt8) {
        if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { return put(byte) }
        putEscape(byte)
    }

    private mutating func putEscape(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
        case 0x08: put(UInt8(ascii: "b"))
        case 0x09: put(UInt8(ascii: "t"))
        case 0x0a: put(UInt8(ascii: "n"))
        case 0x0c: put(UInt8(ascii: "f"))
        case 0x0d: put(UInt8(ascii: "r"))
        default: putCode(byte)
        }
    }

    private mutating func putCode(_ byte: UInt8) {
        put(UInt8(ascii: "u"))
        put(UInt8(ascii: "0"))
        put(UInt8(ascii: "0"))
        put(UInt8(ascii: "0") + (byte >> 4))
        let digit = byte & 0x0f
        put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        space[count] = byte
        count += 1
    }
}
