import BulkheadCore
import Crypto
import Glibc

/// The key that records and anchor are authenticated with: whoever cannot read it cannot write a trail that verifies.
struct AuditKey: Sendable {
    /// The two hashes of HMAC (RFC 2104) after their first block, which depends on the key alone.
    private let inner: SHA256
    private let outer: SHA256

    /// - Parameter bytes: a block at most.
    init(_ bytes: [UInt8]) {
        inner = Self.begun(bytes, 0x36)
        outer = Self.begun(bytes, 0x5c)
    }

    private static func begun(_ key: [UInt8], _ pad: UInt8) -> SHA256 {
        var hash = SHA256()
        precondition(key.count <= SHA256.blockByteCount, "bug: a key of the trail is one block at most")
        hash.update(data: (0 ..< SHA256.blockByteCount).map { ($0 < key.count ? key[$0] : 0) ^ pad })
        return hash
    }

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
        var (inner, outer) = (inner, outer)
        bytes.withUnsafeBytes { inner.update(bufferPointer: $0) }
        inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
        let code = outer.finalize()
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
