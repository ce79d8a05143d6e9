/// The bytes of an input, taken from the front. Past the end everything is zero, so that any input is a whole one.
package struct InputBytes {
    private var rest: ArraySlice<UInt8>

    /// All of `bytes`.
    package init(_ bytes: some Sequence<UInt8>) { rest = Array(bytes)[...] }

    /// Whether nothing is left.
    package var isAtEnd: Bool { rest.isEmpty }

    /// The next byte; zero past the end.
    package mutating func next() -> UInt8 { rest.popFirst() ?? 0 }

    /// One of `choices`, by the next byte.
    package mutating func choice<Value>(of choices: [Value]) -> Value { choices[Int(next()) % choices.count] }

    /// The next `count` bytes, or what is left.
    package mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }

    /// All that is left.
    package mutating func takeRest() -> [UInt8] { take(rest.count) }
}

extension InputBytes {
    /// A count n, then n lengths of pieces (1 to 128, or in steps of 64 up to 8192), to be used in turn.
    package mutating func pieceLengths() -> [Int] {
        take(Int(next() & 15)).map { $0 < 128 ? Int($0) + 1 : (Int($0) - 127) * 64 }
    }

    /// `stream` in pieces of `lengths`, used in turn; in one if there are none.
    package static func cut(_ stream: [UInt8], _ lengths: [Int]) -> [[UInt8]] {
        guard !lengths.isEmpty else { return [stream] }
        var (pieces, rest, turn) = ([[UInt8]](), stream[...], 0)
        while !rest.isEmpty {
            let length = lengths[turn % lengths.count]
            pieces.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
            turn += 1
        }
        return pieces
    }
}
