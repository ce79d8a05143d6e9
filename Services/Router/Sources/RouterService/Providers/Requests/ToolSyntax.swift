import BulkheadAPI
import BulkheadJSON

/// Names and ids of tools as dialects want them.
package enum ToolSyntax {
    /// The id of a call for a provider that takes ASCII letters, digits, `_` and `-`, at most `longest` of them. The same id
    /// always becomes the same, so that calls and results stay together.
    package static func id(_ id: String?, longest: Int) -> String {
        let id = id ?? ""
        if id.utf8.count <= longest, id.utf8.allSatisfy(isWordByte) { return id }
        let plain = String(decoding: id.utf8.map { isWordByte($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        // Two long or odd ids must not become one: a hash of the whole is kept.
        return "\(plain.prefix(max(0, longest - 17)))_\(hex(hash(id.utf8)))"
    }

    /// - Throws: for a name the provider would refuse: it cannot be changed, the answer calls it by that name.
    package static func check(_ name: String, longest: Int, also: String = "", _ dialect: String) throws {
        let isFine =
            (1 ... longest).contains(name.utf8.count) && name.utf8.allSatisfy { isWordByte($0) || also.utf8.contains($0) }
        if !isFine { throw NotExpressible.error("A tool called '\(name.prefix(80))'", in: dialect) }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// FNV-1a: for telling apart, not for security.
    package static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// Sixteen digits.
    package static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
