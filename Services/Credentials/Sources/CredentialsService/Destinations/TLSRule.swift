import BulkheadConfig
import Foundation

extension TLSFloor: Comparable {
    package static func < (left: TLSFloor, right: TLSFloor) -> Bool { left == .v12 && right == .v13 }
}

/// What is asked of an upstream's TLS besides a valid certificate.
package struct TLSRule: Sendable, Hashable, Codable {
    /// The lowest version.
    package var minimum: TLSFloor
    /// SHA-256 of the public keys (SubjectPublicKeyInfo, RFC 7469) one of which the server must have, in base64, sorted;
    /// empty: any.
    package var pins: [String]

    /// TLS 1.2 and no pins, unless told otherwise.
    package init(minimum: TLSFloor = .v12, pins: [String] = []) {
        self.minimum = minimum
        self.pins = pins
    }

    /// Reads `tls` of a destination.
    init(_ section: ConfigSection) {
        minimum = section.choice("minimum", default: .v12)
        var pins: Set<String> = []
        for text in section.strings("pins", default: []) {
            if let pin = Self.pin(text) {
                pins.insert(pin)
            } else {
                section.report("pins", found: text, expected: "sha256/ and the SHA-256 of a public key in base64")
            }
        }
        self.pins = pins.sorted()
    }

    private static func pin(_ text: String) -> String? {
        guard text.hasPrefix("sha256/"), let bytes = Data(base64Encoded: String(text.dropFirst(7))), bytes.count == 32 else {
            return nil
        }
        return bytes.base64EncodedString()
    }
}
