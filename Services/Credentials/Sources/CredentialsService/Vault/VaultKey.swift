import Crypto
import CryptoExtras

/// What the operator's key material becomes: one key for the items, one for the file's MAC, and a check value that tells a
/// wrong key from a damaged file.
struct VaultKeys: Sendable {
    let items: SymmetricKey
    let mac: SymmetricKey
    let counter: SymmetricKey
    let check: [UInt8]

    /// Derives the keys of one vault. With a passphrase this takes about 0.1 s and 32 MiB: off the event loop.
    /// - Parameter isRaw: whether the material is the key itself.
    init(_ material: SecretBytes, salt: [UInt8], isRaw: Bool) throws(VaultFailure) {
        let master: SymmetricKey
        if isRaw {
            master = material.symmetricKey()
        } else {
            guard (Self.minPassphrase ... Self.maxPassphrase).contains(material.withBytes { Self.line($0).count }) else {
                throw VaultFailure(
                    .locked,
                    "the vault key is neither 32 bytes nor a passphrase of \(Self.minPassphrase) to \(Self.maxPassphrase) bytes")
            }
            do {
                master = try material.withBytes {
                    try KDF.Scrypt.deriveKey(
                        from: Self.line($0), salt: salt, outputByteCount: 32, rounds: 1 << 15, blockSize: 8, parallelism: 1)
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
        counter = derived("bulkhead vault counter", 32)
        check = derived("bulkhead vault v1 check", 16).withUnsafeBytes { Array($0) }
    }

    /// The keys of a new vault.
    init(_ material: SecretBytes, salt: [UInt8]) throws(VaultFailure) {
        try self.init(material, salt: salt, isRaw: Self.isRaw(material))
    }

    /// The keys of a vault that exists.
    /// - Throws: locked, when the material does not fit.
    static func fitting(_ material: SecretBytes, salt: [UInt8], check: [UInt8]) throws(VaultFailure) -> VaultKeys {
        let keys = try VaultKeys(material, salt: salt)
        if keys.check == check { return keys }
        // Vaults of before took any 32 bytes for the key itself, text too.
        if material.count == rawBytes, !isRaw(material) {
            let raw = try VaultKeys(material, salt: salt, isRaw: true)
            if raw.check == check { return raw }
        }
        throw VaultFailure(
            .locked,
            "the key does not fit the vault (or the vault file is damaged): put the right key in place, or unlock with it")
    }

    static let rawBytes = 32

    /// Exactly 32 bytes, not all of them text, are the key itself; anything else is a passphrase. A random key consists of
    /// text alone once in 10^13 times, and then serves as a passphrase just as well.
    private static func isRaw(_ material: SecretBytes) -> Bool {
        material.count == rawBytes && material.withBytes { !line($0).allSatisfy { (32 ... 126).contains($0) } }
    }

    /// Without one line break at the end, which editors leave behind a passphrase.
    private static func line(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard bytes.last == UInt8(ascii: "\n") else { return bytes }
        let count = bytes.count - (bytes.dropLast().last == UInt8(ascii: "\r") ? 2 : 1)
        return UnsafeRawBufferPointer(rebasing: bytes[..<count])
    }

    static let minPassphrase = 12
    static let maxPassphrase = 1024

    /// The material in what was read.
    static func material(_ bytes: [UInt8]) -> SecretBytes { SecretBytes(bytes) }
}
