import NIOCore

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
    package mutating func writeJSONString(_ text: String) { writeJSONString(text, before: nil, after: nil) }

    /// One write for a short string and its punctuation: each call into the buffer costs as much as many bytes.
    mutating func writeJSONString(_ text: String, before: UInt8?, after: UInt8?) {
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            repeat {
                let piece = UnsafeBufferPointer(rebasing: utf8[start ..< min(start + 1024, utf8.count)])
                let isFirst = start == 0
                start += piece.count
                let isLast = start == utf8.count
                // An escape takes up to six bytes, quotes and punctuation four; eight are stored at a time.
                writeWithUnsafeMutableBytes(minimumWritableBytes: 6 * piece.count + 12) { space in
                    var output = EscapedOutput(space)
                    if isFirst { output.open(before) }
                    output.put(piece)
                    if isLast { output.close(after) }
                    return output.count
                }
            } while start < utf8.count
        }
    }
}
