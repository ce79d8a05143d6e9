/// What names, values and methods may consist of (RFC 9110).
package enum HeaderSyntax {
    /// A token of at most 256 bytes.
    package static func isName(_ text: String) -> Bool {
        (1 ... 256).contains(text.utf8.count) && text.utf8.allSatisfy(isTokenByte)
    }

    /// Visible characters, blanks between them, tabs, and bytes above 127: no CR, LF, NUL or other control character. At most
    /// 64 KiB.
    package static func isValue(_ text: String) -> Bool {
        text.utf8.count <= 64 << 10 && text.utf8.allSatisfy { $0 >= 32 && $0 != 127 || $0 == 9 }
    }

    /// Capital letters, digits, `-` and `_`, at most 32.
    package static func isMethod(_ text: String) -> Bool {
        (1 ... 32).contains(text.utf8.count)
            && text.utf8.allSatisfy { (65 ... 90).contains($0) || (48 ... 57).contains($0) || $0 == 45 || $0 == 95 }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: "!#$%&'*+.^`|~".utf8.contains(byte)
        }
    }
}
