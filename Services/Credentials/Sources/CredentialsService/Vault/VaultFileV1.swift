import Crypto
import NIOCore

/// Items of version 1 of the vault file: name 2+n · policy 2+n · sealed value 4+n. The policy stands outside the seal, as
/// additional data: host, preset, port and three times.
enum VaultFileV1 {
    static func readItem(
        _ rest: inout ByteBuffer, id: [UInt8], _ keys: VaultKeys
    ) -> (name: String, secret: StoredSecret)? {
        guard let nameLength = rest.readInteger(as: UInt16.self), let name = rest.readString(length: Int(nameLength)),
            let policyLength = rest.readInteger(as: UInt16.self), let policyBytes = rest.readBytes(length: Int(policyLength)),
            let length = rest.readInteger(as: UInt32.self), let sealed = rest.readBytes(length: Int(length)),
            let policy = policy(policyBytes), StoredSecret.isName(name),
            let box = try? AES.GCM.SealedBox(combined: sealed),
            var value = try? AES.GCM.open(box, using: keys.items, authenticating: additionalData(id, name, policyBytes))
        else { return nil }
        defer { value.resetBytes(in: value.startIndex ..< value.endIndex) }
        return (name, StoredSecret(policy: policy, value: SecretBytes(value)))
    }

    private static func additionalData(_ id: [UInt8], _ name: String, _ policy: [UInt8]) -> [UInt8] {
        var data = ByteBuffer()
        data.writeBytes(VaultFile.magic)
        data.writeInteger(UInt32(1))
        data.writeBytes(id)
        data.writeInteger(UInt16(name.utf8.count))
        data.writeString(name)
        data.writeBytes(policy)
        return Array(data.readableBytesView)
    }

    private static func policy(_ bytes: [UInt8]) -> SecretPolicy? {
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
