/// Reads simdjson's tape: 64-bit words with a type character in the top byte. The low 32 bits of an opening bracket are
/// the index after its closing one, the next 24 the number of elements (saturated); those of a string are the offset of a
/// 32-bit length and the bytes; a number stands in the word that follows.
struct TapeReader {
    let tape: UnsafePointer<UInt64>
    let strings: UnsafePointer<UInt8>
    let maxDepth: Int
    // The first word marks the root.
    private var index = 1
    private var values = 0

    init(tape: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>, maxDepth: Int) {
        self.tape = tape
        self.strings = strings
        self.maxDepth = maxDepth
    }

    mutating func value(depth: Int) throws(JSONError) -> JSON {
        values += 1
        if values > JSON.mostValues { throw .values(limit: JSON.mostValues) }
        let word = tape[index]
        index += 1
        switch UInt8(truncatingIfNeeded: word >> 56) {
        case UInt8(ascii: "\""): return .string(string(word))
        case UInt8(ascii: "l"): return .int(Int64(bitPattern: number()))
        case UInt8(ascii: "d"): return .double(Double(bitPattern: number()))
        case UInt8(ascii: "u"): return .uint(number())
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "{"): return .object(try object(word, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(word, depth: depth + 1))
        default: preconditionFailure("bug: unknown word on the tape of a parsed document")
        }
    }

    private mutating func number() -> UInt64 {
        defer { index += 1 }
        return tape[index]
    }

    // An unpaired low surrogate gets past simdjson 3.0 as invalid UTF-8; decoding repairs it.
    private func string(_ word: UInt64) -> String {
        let start = strings + Int(word & 0xff_ffff_ffff_ffff)
        let length = UnsafeRawPointer(start).loadUnaligned(as: UInt32.self)
        return String(decoding: UnsafeBufferPointer(start: start + 4, count: Int(length)), as: UTF8.self)
    }

    private mutating func object(_ word: UInt64, depth: Int) throws(JSONError) -> JSONObject {
        if depth > maxDepth { throw .depth(limit: maxDepth) }
        let end = Int(word & 0xffff_ffff) - 1
        var object = JSONObject()
        object.reserveCapacity(Int(word >> 32 & 0xff_ffff))
        while index < end {
            let name = string(tape[index])
            index += 1
            object.append(name, try value(depth: depth))
        }
        index = end + 1
        return object
    }

    private mutating func array(_ word: UInt64, depth: Int) throws(JSONError) -> [JSON] {
        if depth > maxDepth { throw .depth(limit: maxDepth) }
        let end = Int(word & 0xffff_ffff) - 1
        var elements: [JSON] = []
        elements.reserveCapacity(Int(word >> 32 & 0xff_ffff))
        while index < end { elements.append(try value(depth: depth)) }
        index = end + 1
        return elements
    }
}
