/// Makes values of what stands on a tape.
struct TapeReader {
    private let tape: Tape
    private let maxDepth: Int
    private var index: Int
    private var values = 0

    init(_ tape: Tape, at index: Int = Tape.root, maxDepth: Int) {
        self.tape = tape
        self.index = index
        self.maxDepth = maxDepth
    }

    mutating func value(depth: Int) throws(JSONError) -> JSON {
        values += 1
        if values > JSON.mostValues { throw .values(limit: JSON.mostValues) }
        let start = index
        index += 1
        switch tape.type(start) {
        case UInt8(ascii: "\""): return .string(string(start))
        case UInt8(ascii: "l"): return .int(Int64(bitPattern: number()))
        case UInt8(ascii: "d"): return .double(Double(bitPattern: number()))
        case UInt8(ascii: "u"): return .uint(number())
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "{"): return .object(try object(start, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(start, depth: depth + 1))
        default: preconditionFailure("bug: unknown word on the tape of a parsed document")
        }
    }

    private mutating func number() -> UInt64 {
        defer { index += 1 }
        return tape.words[index]
    }

    // An unpaired low surrogate gets past simdjson 3.0 as invalid UTF-8; decoding repairs it.
    private func string(_ index: Int) -> String { String(decoding: tape.text(index), as: UTF8.self) }

    private mutating func object(_ start: Int, depth: Int) throws(JSONError) -> JSONObject {
        if depth > maxDepth { throw .depth(limit: maxDepth) }
        let end = tape.next(start) - 1
        var object = JSONObject()
        object.reserveCapacity(tape.count(start))
        while index < end {
            let name = string(index)
            index += 1
            object.append(name, try value(depth: depth))
        }
        index = end + 1
        return object
    }

    private mutating func array(_ start: Int, depth: Int) throws(JSONError) -> [JSON] {
        if depth > maxDepth { throw .depth(limit: maxDepth) }
        let end = tape.next(start) - 1
        var elements: [JSON] = []
        elements.reserveCapacity(tape.count(start))
        while index < end { elements.append(try value(depth: depth)) }
        index = end + 1
        return elements
    }
}
