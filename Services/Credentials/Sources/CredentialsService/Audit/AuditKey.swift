import BulkheadCore
import Crypto
import Glibc

/// The key that records and anchor are authenticated with: whoever cannot read it cannot write a trail that verifies.
struct AuditKey: Sendable {
    private let begun: HMAC<SHA256>

    init(_ bytes: [UInt8]) { begun = HMAC(key: SymmetricKey(data: bytes)) }

    private static let bytes = 32

    /// Reads the key; makes one, mode 0600, when there is none.
    /// - Parameter prepare: called with a key just made, before it stands under its name.
    /// - Throws: `CallError` INTERNAL, with the path.
    static func load(_ path: String, prepare: (AuditKey) throws -> Void) throws -> (key: AuditKey, isNew: Bool) {
        do {
            let found = try PrivateFile.read(path, maxBytes: bytes)
            guard found.count == bytes else {
                throw CallError(
                    .internal, message: "\(path) holds \(found.count) bytes, the key of the audit trail has \(bytes)")
            }
            return (AuditKey(found), false)
        } catch let failure as PrivateFile.Failure {
            guard failure.isMissing else { throw CallError(.internal, message: "the audit trail's key: \(failure)") }
        }
        var source = SystemRandomNumberGenerator()
        let made = (0 ..< bytes).map { _ in UInt8.random(in: .min ... .max, using: &source) }
        let key = AuditKey(made)
        try prepare(key)
        do {
            try PrivateFile.replace(path, with: made)
        } catch {
            throw CallError(.internal, message: "the audit trail's key: \(error)")
        }
        return (key, true)
    }

    /// The 64 hexadecimal digits of the MAC of `bytes`.
    func mac(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        // Its beginning depends on the key alone.
        var mac = begun
        bytes.withUnsafeBytes { mac.update(data: $0) }
        let code = mac.finalize()
        return [UInt8](unsafeUninitializedCapacity: 2 * SHA256.byteCount) { text, count in
            code.withUnsafeBytes { bytes in
                for byte in bytes {
                    text[count] = Self.digits[Int(byte >> 4)]
                    text[count + 1] = Self.digits[Int(byte & 15)]
                    count += 2
                }
            }
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
