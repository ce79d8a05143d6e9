import BulkheadWire

/// Writes the wire form of a message by its descriptor alone, independently of the generated Swift code.
struct WireFormat {
    /// What a field may hold.
    enum Filling {
        /// Every field is there, with a value that is not its default: the generated code must write the same bytes again.
        case full
        /// Each field is there or not, with any value, defaults included.
        case random
    }

    var generator: SeededGenerator
    let filling: Filling

    private static let texts = [
        "", "a", "plain text", "zero \0 inside", "\0", "Grüße, 世界", "👩‍👩‍👧‍👦 family", "e\u{301} combining",
        "\u{10FFFF}\u{FFFD}\u{200B}",
        "line\nbreak\ttab\r\n", "\u{202E}right to left", String(repeating: "long ", count: 200),
    ]

    /// The bytes of one message of type `type`.
    mutating func bytes<M: WireMessage>(of type: M.Type) -> [UInt8] {
        let described = M.descriptor.pointee
        var bytes: [UInt8] = []
        for index in 0 ..< Int(described.n_fields) {
            let field = described.fields[index]
            let isRepeated = field.label.rawValue == 2
            let count = isRepeated ? Int.random(in: filling == .full ? 1 ... 3 : 0 ... 4, using: &generator) : 1
            if filling == .random, !isRepeated, Bool.random(using: &generator) { continue }
            if isRepeated, field.type.rawValue == 10 {
                // The only packed fields are lists of floats.
                if count > 0 { bytes += Self.varint(UInt64(field.id) << 3 | 2) + Self.delimited(floats(count)) }
                continue
            }
            for _ in 0 ..< count {
                let value: (wireType: UInt64, bytes: [UInt8]) =
                    field.type.rawValue == 16
                    ? (2, Self.delimited(nested(in: field.descriptor)))
                    : value(
                        type: field.type.rawValue, mayBeDefault: filling == .random || isRepeated,
                        defaultIsTrue: field.type.rawValue == 12 && field.default_value?.load(as: Int32.self) == 1)
                bytes += Self.varint(UInt64(field.id) << 3 | value.wireType) + value.bytes
            }
        }
        return bytes
    }

    private mutating func nested(in descriptor: UnsafeRawPointer?) -> [UInt8] {
        guard let type = everyMessage.first(where: { UnsafeRawPointer($0.descriptor) == descriptor }) else {
            preconditionFailure("bug: a nested message is missing in everyMessage")
        }
        return bytes(of: type)
    }

    /// A scalar; the numbers are those of protobuf-c's ProtobufCType.
    private mutating func value(
        type: UInt32, mayBeDefault: Bool, defaultIsTrue: Bool
    ) -> (wireType: UInt64, bytes: [UInt8]) {
        switch type {
        case 0: return (0, Self.varint(UInt64(bitPattern: Int64(number(as: Int32.self)))))
        case 3: return (0, Self.varint(UInt64(bitPattern: number(as: Int64.self))))
        case 6: return (0, Self.varint(UInt64(number(as: UInt32.self))))
        case 7: return (5, littleEndian(UInt64(number(as: UInt32.self)), 4))
        case 9: return (1, littleEndian(number(as: UInt64.self), 8))
        case 11: return (1, littleEndian(Double.random(in: 1 ... 1e12, using: &generator).bitPattern, 8))
        case 12: return (0, [mayBeDefault ? UInt8.random(in: 0 ... 1, using: &generator) : defaultIsTrue ? 0 : 1])
        // The first enumerators of every enumeration are 0 (the default), 1 and 2.
        case 13: return (0, [UInt8.random(in: mayBeDefault ? 0 ... 2 : 1 ... 2, using: &generator)])
        // Strings are bytes to protobuf-c (so that a NUL does not cut them): text fits both.
        case 15: return (2, Self.delimited(text(mayBeEmpty: mayBeDefault)))
        default: preconditionFailure("bug: no .proto used protobuf-c's type \(type) when this was written; add it")
        }
    }

    private mutating func floats(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0 ..< count { bytes += littleEndian(UInt64(Float.random(in: -1e6 ... 1e6, using: &generator).bitPattern), 4) }
        return bytes
    }

    private mutating func number<T: FixedWidthInteger>(as type: T.Type) -> T {
        let interesting: [T] = [0, 1, .max, .min, 127, T(truncatingIfNeeded: 128), T(truncatingIfNeeded: 16_384)]
        let value =
            Bool.random(using: &generator)
            ? T.random(in: .min ... .max, using: &generator) : interesting.randomElement(using: &generator) ?? 0
        return filling == .full && value == 0 ? 1 : value
    }

    private mutating func text(mayBeEmpty: Bool) -> [UInt8] {
        let text = Self.texts.randomElement(using: &generator) ?? ""
        return Array((text.isEmpty && !mayBeEmpty ? "x" : text).utf8)
    }

    private func littleEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0 ..< count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    static func delimited(_ bytes: [UInt8]) -> [UInt8] { varint(UInt64(bytes.count)) + bytes }

    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 128 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
