import NIOCore

extension JSON {
    /// The deepest nesting any caller may allow; reading is recursive.
    package static let deepestNesting = 512

    /// The most values in one document: a hostile body of two-byte values must not become gigabytes.
    package static let mostValues = 4_000_000

    /// Reads exactly one document.
    /// - Parameters:
    ///   - bytes: the whole document in UTF-8, without a byte order mark.
    ///   - maxDepth: how deep arrays and objects may nest, at most `deepestNesting`; `[]` is 1.
    /// - Throws: what kind of thing is wrong.
    package static func parse(_ bytes: UnsafeRawBufferPointer, maxDepth: Int = 64) throws(JSONError) -> JSON {
        let limit = min(maxDepth, deepestNesting)
        let document = try JSONDocument(unchecked: bytes, maxDepth: limit)
        defer { document.close() }
        var reader = TapeReader(document.tape, maxDepth: limit)
        return try reader.value(depth: 0)
    }

    /// Reads exactly one document: all readable bytes.
    package static func parse(_ bytes: ByteBuffer, maxDepth: Int = 64) throws(JSONError) -> JSON {
        try bytes.withUnsafeReadableBytes { pointer in
            Result { () throws(JSONError) -> JSON in try parse(pointer, maxDepth: maxDepth) }
        }.get()
    }

    /// Reads exactly one document.
    package static func parse(_ text: String, maxDepth: Int = 64) throws(JSONError) -> JSON {
        var text = text
        return try text.withUTF8 { utf8 in
            Result { () throws(JSONError) -> JSON in try parse(UnsafeRawBufferPointer(utf8), maxDepth: maxDepth) }
        }.get()
    }
}
