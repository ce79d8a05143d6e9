import BulkheadCore

/// A model's name as one segment of a path.
package enum PathSegment {
    /// Percent-encoded, all but unreserved characters (RFC 3986). - Throws: for names the credentials service lets into no
    /// path: empty ones, and those with a slash or another character that means something there.
    package static func encoded(_ name: String) throws -> String {
        let isRefused = name.utf8.contains { $0 < 32 || $0 == 127 || "/\\#?%".utf8.contains($0) }
        guard !isRefused, !name.allSatisfy({ $0 == "." }), name.utf8.count <= 512 else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message:
                    "The model '\(name.prefix(100))' cannot be asked: its provider takes the name in a path, where this one has no place."
            )
        }
        return name.utf8.map { byte in
            isUnreserved(byte) ? String(UnicodeScalar(byte)) : "%" + hex(byte)
        }.joined()
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "0" + digits : digits
    }
}
