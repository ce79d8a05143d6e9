import Crypto
import NIOCore

/// The sealed file, all integers big-endian:
///
///     magic 8 · version 4 · vault id 16 · salt 16 · key check 16 · counter 8 · item count 4
///     items: name 2+n · policy 2+n · sealed value 4+n (nonce 12, ciphertext, tag 16; AES-256-GCM)
///     HMAC-SHA256 over all before, 32
///
/// The additional data of each item is magic, version, vault id, name and policy: a value opens in its own vault, under its
/// own name and with its own policy only. The MAC covers order, count and counter; an older file as a whole still opens.
struct VaultFile {
    static let magic = Array("BHVAULT\n".utf8)
    static let version: UInt32 = 1
    static let maxBytes = 128 << 20
    static let maxItems = 1024

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
            let policy = PolicyCoding.encode(item.policy)
            let data = additionalData(name, policy)
            let box = try item.value.withBytes { try AES.GCM.seal($0, using: keys.items, authenticating: data) }
            guard let combined = box.combined else { preconditionFailure("bug: a 12-byte nonce has a combined form") }
            out.writeInteger(UInt16(name.utf8.count))
            out.writeString(name)
            out.writeInteger(UInt16(policy.count))
            out.writeBytes(policy)
            out.writeInteger(UInt32(combined.count))
            out.writeBytes(combined)
        }
        let signed = Array(out.readableBytesView)
        return signed + Array(HMAC<SHA256>.authenticationCode(for: signed, using: keys.mac))
    }

    private func additionalData(_ name: String, _ policy: [UInt8]) -> [UInt8] {
        var data = ByteBuffer()
        data.writeBytes(Self.magic)
        data.writeInteger(Self.version)
        data.writeBytes(id)
        data.writeInteger(UInt16(name.utf8.count))
        data.writeString(name)
        data.writeBytes(policy)
        return Array(data.readableBytesView)
    }

    // MARK: opening

    /// Opens a file. Derives keys: off the event loop.
    static func open(_ bytes: [UInt8], material: SecretBytes) throws(VaultFailure) -> (file: VaultFile, keys: VaultKeys) {
        let damaged = VaultFailure(
            .corrupt, "the vault file is damaged: put a backup of it in its place, or move it away and store the secrets again")
        var rest = ByteBuffer(bytes: bytes)
        guard rest.readBytes(length: magic.count) == magic, let version = rest.readInteger(as: UInt32.self) else { throw damaged }
        guard version == Self.version else {
            throw VaultFailure(.corrupt, "the vault file has version \(version), this program reads version \(Self.version)")
        }
        guard let id = rest.readBytes(length: 16), let salt = rest.readBytes(length: 16), let check = rest.readBytes(length: 16)
        else { throw damaged }
        let keys = try VaultKeys(material, salt: salt)
        guard check == keys.check else {
            throw VaultFailure(
                .locked,
                "the key does not fit the vault (or the vault file is damaged): put the right key in place, or unlock with it")
        }
        let signed = bytes.dropLast(32)
        guard bytes.count > 32, HMAC<SHA256>.isValidAuthenticationCode(bytes.suffix(32), authenticating: signed, using: keys.mac),
            let counter = rest.readInteger(as: UInt64.self), let count = rest.readInteger(as: UInt32.self), count <= maxItems
        else { throw damaged }
        var file = VaultFile(id: id, salt: salt, counter: counter)
        for _ in 0 ..< count {
            guard let (name, item) = file.readItem(&rest, keys) else { throw damaged }
            file.items[name] = item
        }
        guard rest.readableBytes == 32 else { throw damaged }
        return (file, keys)
    }

    private func readItem(_ rest: inout ByteBuffer, _ keys: VaultKeys) -> (String, StoredSecret)? {
        guard let nameLength = rest.readInteger(as: UInt16.self), let name = rest.readString(length: Int(nameLength)),
            let policyLength = rest.readInteger(as: UInt16.self), let policyBytes = rest.readBytes(length: Int(policyLength)),
            let length = rest.readInteger(as: UInt32.self), let sealed = rest.readBytes(length: Int(length)),
            let policy = PolicyCoding.decode(policyBytes), StoredSecret.isName(name),
            let box = try? AES.GCM.SealedBox(combined: sealed),
            var value = try? AES.GCM.open(box, using: keys.items, authenticating: additionalData(name, policyBytes))
        else { return nil }
        defer { value.resetBytes(in: value.startIndex ..< value.endIndex) }
        return (name, StoredSecret(policy: policy, value: SecretBytes(value)))
    }
}

/// A policy as bytes: host, preset, port and three times.
private enum PolicyCoding {
    static func encode(_ policy: SecretPolicy) -> [UInt8] {
        var out = ByteBuffer()
        for text in [policy.host.host, policy.preset.rawValue] {
            out.writeInteger(UInt16(text.utf8.count))
            out.writeString(text)
        }
        out.writeInteger(UInt16(policy.host.port))
        for time in [policy.created, policy.rotated, policy.revoked] { out.writeInteger(time) }
        return Array(out.readableBytesView)
    }

    static func decode(_ bytes: [UInt8]) -> SecretPolicy? {
        var rest = ByteBuffer(bytes: bytes)
        func text() -> String? { rest.readInteger(as: UInt16.self).flatMap { rest.readString(length: Int($0)) } }
        guard let host = text(), let preset = text().flatMap(Preset.init(rawValue:)),
            let port = rest.readInteger(as: UInt16.self),
            let created = rest.readInteger(as: Int64.self), let rotated = rest.readInteger(as: Int64.self),
            let revoked = rest.readInteger(as: Int64.self), rest.readableBytes == 0
        else { return nil }
        return SecretPolicy(
            host: SealedHost(host: host, port: Int(port)), preset: preset, created: created, rotated: rotated, revoked: revoked)
    }
}
