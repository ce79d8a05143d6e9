import BulkheadServiceKit
import Crypto
import NIOCore

/// The sealed file, all integers big-endian:
///
///     magic 8 · version 4 (= 2) · vault id 16 · salt 16 · key check 16 · counter 8 · item count 4
///     items: name 2+n · sealed `SecretBlob` 4+n (nonce 12, ciphertext, tag 16; AES-256-GCM)
///     HMAC-SHA256 over all before, 32
///
/// The additional data of each item is magic, version, vault id and name: an item opens in its own vault and under its own
/// name only, and brings the policy that was sealed with it. The MAC covers header, order, count and counter. That the file
/// is not an older one as a whole is for `RollbackCounter` to say. Version 1 (`VaultFileV1`) is read, and written as 2.
struct VaultFile {
    static let magic = Array("BHVAULT\n".utf8)
    static let version: UInt32 = 2
    static let maxBytes = 128 << 20

    /// Of the file that was read; written is always the newest.
    var version = VaultFile.version
    var id: [UInt8]
    var salt: [UInt8]
    /// Grows with every write.
    var counter: UInt64
    var items: [String: StoredSecret] = [:]

    /// A new vault without secrets.
    static func new() -> VaultFile {
        func random() -> [UInt8] { (0 ..< 16).map { _ in UInt8.random(in: .min ... .max) } }
        return VaultFile(id: random(), salt: random(), counter: 0)
    }

    // MARK: sealing

    func sealed(with keys: VaultKeys) throws -> [UInt8] {
        var out = ByteBuffer()
        out.writeBytes(Self.magic)
        out.writeInteger(Self.version)
        out.writeBytes(id)
        out.writeBytes(salt)
        out.writeBytes(keys.check)
        out.writeInteger(counter)
        out.writeInteger(UInt32(items.count))
        for (name, item) in items.sorted(by: { $0.key < $1.key }) {
            let data = additionalData(name)
            let box = try SecretBlob.withBytes(of: item, named: name) {
                try AES.GCM.seal($0, using: keys.items, authenticating: data)
            }
            guard let combined = box.combined else { preconditionFailure("bug: a 12-byte nonce has a combined form") }
            out.writeInteger(UInt16(name.utf8.count))
            out.writeString(name)
            out.writeInteger(UInt32(combined.count))
            out.writeBytes(combined)
        }
        let signed = Array(out.readableBytesView)
        return signed + Array(HMAC<SHA256>.authenticationCode(for: signed, using: keys.mac))
    }

    private func additionalData(_ name: String) -> [UInt8] {
        var data = ByteBuffer()
        data.writeBytes(Self.magic)
        data.writeInteger(Self.version)
        data.writeBytes(id)
        data.writeInteger(UInt16(name.utf8.count))
        data.writeString(name)
        return Array(data.readableBytesView)
    }

    // MARK: opening

    /// Opens a file. Derives keys: off the event loop.
    static func open(_ bytes: [UInt8], material: SecretBytes) throws(VaultFailure) -> (file: VaultFile, keys: VaultKeys) {
        var rest = ByteBuffer(bytes: bytes)
        guard rest.readBytes(length: magic.count) == magic, let version = rest.readInteger(as: UInt32.self) else { throw damaged }
        guard (1 ... Self.version).contains(version) else {
            throw VaultFailure(
                .corrupt, "the vault file has version \(version), this program reads versions 1 to \(Self.version)")
        }
        guard let id = rest.readBytes(length: 16), let salt = rest.readBytes(length: 16), let check = rest.readBytes(length: 16)
        else { throw damaged }
        let keys = try VaultKeys.fitting(material, salt: salt, check: check)
        let signed = bytes.dropLast(32)
        guard bytes.count > 32, HMAC<SHA256>.isValidAuthenticationCode(bytes.suffix(32), authenticating: signed, using: keys.mac),
            let counter = rest.readInteger(as: UInt64.self), let count = rest.readInteger(as: UInt32.self),
            count <= Vault.maxSecrets
        else { throw damaged }
        var file = VaultFile(version: version, id: id, salt: salt, counter: counter)
        for _ in 0 ..< count {
            let item = version == 1 ? VaultFileV1.readItem(&rest, id: id, keys) : file.readItem(&rest, keys)
            guard let item else { throw damaged }
            file.items[item.name] = item.secret
        }
        guard rest.readableBytes == 32 else { throw damaged }
        return (file, keys)
    }

    private static let damaged = VaultFailure(
        .corrupt, "the vault file is damaged: put a backup of it in its place, or move it away and store the secrets again")

    private func readItem(_ rest: inout ByteBuffer, _ keys: VaultKeys) -> (name: String, secret: StoredSecret)? {
        guard let nameLength = rest.readInteger(as: UInt16.self), let name = rest.readString(length: Int(nameLength)),
            let length = rest.readInteger(as: UInt32.self), let sealed = rest.readBytes(length: Int(length)),
            let box = try? AES.GCM.SealedBox(combined: sealed),
            var blob = try? AES.GCM.open(box, using: keys.items, authenticating: additionalData(name))
        else { return nil }
        defer { blob.resetBytes(in: blob.startIndex ..< blob.endIndex) }
        return blob.withUnsafeBytes { SecretBlob.read($0, named: name) }.map { (name, $0) }
    }
}
