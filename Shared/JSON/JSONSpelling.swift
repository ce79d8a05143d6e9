import Glibc

/// A string of a document where it stands, without its quotes and escapes. Valid as long as the view it comes from.
///
/// It is compared byte by byte (RFC 8259, section 8.3), which for text of letters, digits and `_` is what comparing `String`s comes to.
package struct JSONSpelling {
    private let bytes: UnsafeBufferPointer<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// The string; what is not UTF-8 in it is repaired.
    package var string: String { String(decoding: bytes, as: UTF8.self) }

    package static func == (spelling: JSONSpelling, text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard spelling.bytes.count == count, let start = spelling.bytes.baseAddress else { return false }
        return memcmp(start, text.utf8Start, count) == 0
    }
}

extension JSONSpelling? {
    /// For `switch`.
    package static func ~= (text: StaticString, spelling: JSONSpelling?) -> Bool { spelling.map { $0 == text } ?? false }
}
