import BulkheadAPI
import BulkheadIPC
import NIOCore

/// A request as names and digests of its fields: says which fields of two requests differ, and nothing of what they hold. The
/// digests are of this process only (seeded at its start).
package struct FieldDigests: Sendable, Equatable {
    /// Conversations longer than this have one digest a message.
    private static let mostDetailed = 8
    /// Beyond it the rest shares one digest.
    private static let most = 256

    private var digests: [String: Int] = [:]

    /// - Parameter chat: in canonical form.
    package init(_ chat: ChatAPI.ChatRequest) throws {
        let bytes = try chat.encoded()
        let forms = RouterMethods.schema.forms
        guard let form = forms.first(where: { $0.name == "ChatRequest" }) else { return }
        bytes.withUnsafeReadableBytes {
            take($0, form, forms, path: "", isDetailed: chat.messages.count <= Self.mostDetailed)
        }
    }

    /// The names of what differs, in order; `(rest)` stands for what is beyond the digests that are kept.
    package func differences(from other: FieldDigests) -> [String] {
        Set(digests.keys).union(other.digests.keys).filter { digests[$0] != other.digests[$0] }.sorted()
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ form: MessageForm, _ forms: [MessageForm], path: String, isDetailed: Bool
    ) {
        var counts: [UInt32: Int] = [:]
        var reader = WireFields(bytes)
        while let field = reader.next() {
            guard let known = form.fields.first(where: { $0.number == field.number }) else { continue }
            var name = path + known.name
            if known.isRepeated {
                let index = counts[field.number, default: 0]
                counts[field.number] = index + 1
                name += "[\(index)]"
            }
            if let message = known.message, isDetailed {
                take(field.bytes, forms[message], forms, path: name + ".", isDetailed: true)
            } else {
                note(name, field.bytes)
            }
        }
    }

    private mutating func note(_ name: String, _ bytes: UnsafeRawBufferPointer) {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        if digests.count < Self.most || digests[name] != nil {
            digests[name] = hasher.finalize()
        } else {
            hasher.combine(digests["(rest)"] ?? 0)
            digests["(rest)"] = hasher.finalize()
        }
    }
}

/// Walks the fields of a protobuf message this process has written.
private struct WireFields {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field with its value's bytes, of a length-delimited one without the length; nil at the end.
    mutating func next() -> (number: UInt32, bytes: UnsafeRawBufferPointer)? {
        guard let tag = varint(), let value = value(of: tag & 7) else { return nil }
        return (UInt32(truncatingIfNeeded: tag >> 3), value)
    }

    private mutating func value(of type: UInt64) -> UnsafeRawBufferPointer? {
        switch type {
        case 0:
            let start = index
            guard varint() != nil else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[start ..< index])
        case 1: return slice(8)
        case 2: return varint().flatMap { Int(exactly: $0) }.flatMap { slice($0) }
        case 5: return slice(4)
        default: return nil
        }
    }

    private mutating func slice(_ length: Int) -> UnsafeRawBufferPointer? {
        guard length <= bytes.count - index else { return nil }
        defer { index += length }
        return UnsafeRawBufferPointer(rebasing: bytes[index ..< index + length])
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard index < bytes.count else { return nil }
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
