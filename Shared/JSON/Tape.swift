/// simdjson's tape: 64-bit words with a type character in the top byte. The low 32 bits of an opening bracket are the index after
/// its closing one, the next 24 the number of elements (saturated); those of a string are the offset of a 32-bit length and the
/// bytes; a number stands in the word that follows. The first word and the last one mark the root.
struct Tape {
    let words: UnsafePointer<UInt64>
    private let strings: UnsafePointer<UInt8>

    /// Where the document's value stands.
    static let root = 1

    init(words: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>) {
        self.words = words
        self.strings = strings
    }

    func type(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: words[index] >> 56) }

    /// The index after the value at `index`.
    func next(_ index: Int) -> Int {
        switch type(index) {
        case UInt8(ascii: "{"), UInt8(ascii: "["): Int(words[index] & 0xffff_ffff)
        case UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "d"): index + 2
        default: index + 1
        }
    }

    /// The elements of the array or the pairs of the object at `index`; not more than are there.
    func count(_ index: Int) -> Int { Int(words[index] >> 32 & 0xff_ffff) }

    /// The bytes of the string at `index`.
    func text(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let start = strings + Int(words[index] & 0xff_ffff_ffff_ffff)
        let length = UnsafeRawPointer(start).loadUnaligned(as: UInt32.self)
        return UnsafeBufferPointer(start: start + 4, count: Int(length))
    }

    /// Whether reading all of the document would find nothing against it.
    /// - Parameter mayHaveTooManyValues: false for a document of so few bytes that they cannot be too many.
    func isWithin(maxDepth: Int, mayHaveTooManyValues: Bool) -> Bool {
        guard !mayHaveTooManyValues else {
            var reader = TapeReader(self, maxDepth: maxDepth)
            return (try? reader.value(depth: 0)) != nil
        }
        var depth = 0
        var index = Self.root
        while true {
            switch type(index) {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > maxDepth { return false }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "d"): index += 1
            case UInt8(ascii: "r"): return true
            default: break
            }
            index += 1
        }
    }
}
