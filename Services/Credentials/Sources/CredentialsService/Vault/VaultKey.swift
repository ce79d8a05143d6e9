import Crypto
import CryptoExtras

/// What the operator's key material becomes: one key for the items, one for the file's MAC, and a check value that tells a
/// wrong key from a damaged file.
struct VaultKeys: Sendable {
    let items: SymmetricKey
    let mac: SymmetricKey
    let check: [UInt8]

    /// Derives the keys of one vault. With a passphrase this takes about 0.1 s and 32 MiB: off the event loop.
    /// - Throws: `VaultFailure`.
    init(_ material: SecretBytes, salt: [UInt8]) throws(VaultFailure) {
        let master: SymmetricKey
        if material.count == Self.rawBytes {
            master = material.symmetricKey()
        } else {
            guard (Self.minPassphrase ... Self.maxPassphrase).contains(material.count) else {
                throw VaultFailure(
                    .locked,
                    "the vault key is neither 32 bytes nor a passphrase of \(Self.minPassphrase) to \(Self.maxPassphrase) bytes")
            }
            do {
                master = try material.withBytes {
                    try KDF.Scrypt.deriveKey(
                        from: $0, salt: salt, outputByteCount: 32, rounds: 1 << 15, blockSize: 8, parallelism: 1)
                }
            } catch {
                throw VaultFailure(.locked, "no key could be derived from the passphrase: is there enough memory (32 MiB)?")
            }
        }
        func derived(_ purpose: String, _ bytes: Int) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(inputKeyMaterial: master, salt: salt, info: Array(purpose.utf8), outputByteCount: bytes)
        }
        items = derived("bulkhead vault v1 items", 32)
        mac = derived("bulkhead vault v1 mac", 32)
        check = derived("bulkhead vault v1 check", 16).withUnsafeBytes { Array($0) }
    }

    /// A key file or `unlock` input of exactly this many bytes is the key itself; anything else is a passphrase.
    static let rawBytes = 32
    static let minPassphrase = 12
    static let maxPassphrase = 1024

    /// The material in what was read: a passphrase without its line break.
    static func material(_ bytes: [UInt8]) -> SecretBytes {
        if bytes.count == rawBytes { return SecretBytes(bytes) }
        var passphrase = bytes[...]
        if passphrase.last == UInt8(ascii: "\n") { passphrase.removeLast() }
        if passphrase.last == UInt8(ascii: "\r") { passphrase.removeLast() }
        return SecretBytes(passphrase)
    }
}

/// Why the vault is not open.
package struct VaultFailure: Error, Sendable, Equatable {
    /// What kind of obstacle.
    package enum Kind: String, Sendable {
        /// No key, or not the right one.
        case locked
        /// The file is damaged, or no vault.
        case corrupt
    }

    /// Locked or corrupt.
    package var kind: Kind
    /// What is wrong and what to do, for people; no path.
    package var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
