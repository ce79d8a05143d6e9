package import NIOCore

extension JSON {
    /// Appends the value as compact JSON text; parsing it gives an equal value, numbers that are not finite excepted (null).
    package func write(into buffer: inout ByteBuffer) {
        JSONWriter.append(to: &buffer) { $0.value(self) }
    }

    /// The value as compact JSON text in UTF-8.
    package func bytes() -> ByteBuffer {
        var writer = JSONWriter()
        writer.value(self)
        return writer.buffer
    }

    /// The value as compact JSON text.
    package func text() -> String { String(buffer: bytes()) }
}

extension ByteBuffer {
    /// Appends `text` as a JSON string with its quotes. Only what RFC 8259 demands is escaped.
    package mutating func writeJSONString(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            reserveCapacity(minimumWritableBytes: utf8.count + 2)
            writeInteger(UInt8(ascii: "\""))
            var start = 0
            while start < utf8.count {
                let end = utf8.firstEscaped(from: start)
                writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[start..<end]))
                guard end < utf8.count else { break }
                writeEscape(of: utf8[end])
                start = end + 1
            }
            writeInteger(UInt8(ascii: "\""))
        }
    }

    private mutating func writeEscape(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): writeStaticString("\\\"")
        case UInt8(ascii: "\\"): writeStaticString("\\\\")
        case 0x08: writeStaticString("\\b")
        case 0x09: writeStaticString("\\t")
        case 0x0a: writeStaticString("\\n")
        case 0x0c: writeStaticString("\\f")
        case 0x0d: writeStaticString("\\r")
        default:
            writeStaticString("\\u00")
            writeInteger(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let digit = byte & 0x0f
            writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The index of the first byte at or after `start` that must not stand raw in a JSON string; `count` if there is none.
    fileprivate func firstEscaped(from start: Int) -> Int {
        var index = start
        while index + 16 <= count, let base = baseAddress {
            let block = UnsafeRawPointer(base + index).loadUnaligned(as: SIMD16<UInt8>.self)
            let escaped = block .< 0x20 .| block .== UInt8(ascii: "\"") .| block .== UInt8(ascii: "\\")
            if any(escaped) { break }
            index += 16
        }
        while index < count, self[index] >= 0x20, self[index] != UInt8(ascii: "\""), self[index] != UInt8(ascii: "\\") {
            index += 1
        }
        return index
    }
}
