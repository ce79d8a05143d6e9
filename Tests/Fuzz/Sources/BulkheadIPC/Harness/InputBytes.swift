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
