import Foundation

/// A secret in one piece, as both stores keep it: policy and values cannot be parted.
///
///     format 1 (= 1) · head length 4, big-endian · head (JSON: name, policy, life, lengths) · values, the present one first
///
/// Who seals it (AES-GCM in the vault, the keyring's own cipher) seals all of it. The name inside tells a blob that was put
/// under another name.
enum SecretBlob {
    /// Beyond what the values take.
    private static let maxHead = 256 << 10

    private struct Head: Codable {
        var name: String
        var policy: SecretPolicy
        var life: SecretLife
        var length: Int
        var former: [FormerHead]
    }

    private struct FormerHead: Codable {
        var version: Int
        var until: Int64
        var length: Int
    }

    /// Lends the blob to `body`, which must not keep it; it is zeroed afterwards.
    static func withBytes<Value>(
        of secret: StoredSecret, named name: String, _ body: (UnsafeRawBufferPointer) throws -> Value
    ) throws -> Value {
        let former = secret.former.map { FormerHead(version: $0.version, until: $0.until, length: $0.value.count) }
        let head = Head(name: name, policy: secret.policy, life: secret.life, length: secret.value.count, former: former)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = Array(try encoder.encode(head))
        let values = [secret.value] + secret.former.map(\.value)
        let count = 5 + text.count + values.reduce(0) { $0 + $1.count }
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer {
            if let base = space.baseAddress { explicit_bzero(base, space.count) }
            space.deallocate()
        }
        var place = 0
        func put(_ bytes: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: space[place...]).copyMemory(from: bytes)
            place += bytes.count
        }
        [UInt8(1)].withUnsafeBytes(put)
        withUnsafeBytes(of: UInt32(text.count).bigEndian, put)
        text.withUnsafeBytes(put)
        for value in values { value.withBytes(put) }
        return try body(UnsafeRawBufferPointer(space))
    }

    /// - Returns: nil when it is no blob, or that of another name.
    static func read(_ bytes: UnsafeRawBufferPointer, named name: String) -> StoredSecret? {
        guard bytes.count > 5, bytes[0] == 1 else { return nil }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
        guard length <= maxHead, bytes.count >= 5 + length else { return nil }
        let text = Data(UnsafeRawBufferPointer(rebasing: bytes[5 ..< 5 + length]))
        guard let head = try? JSONDecoder().decode(Head.self, from: text), head.name == name, StoredSecret.isName(name) else {
            return nil
        }
        var rest = UnsafeRawBufferPointer(rebasing: bytes[(5 + length)...])
        func take(_ count: Int) -> SecretBytes? {
            guard count >= 0, count <= rest.count else { return nil }
            defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
            return SecretBytes(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        }
        guard let value = take(head.length) else { return nil }
        var secret = StoredSecret(policy: head.policy, value: value, life: head.life)
        for former in head.former {
            guard let value = take(former.length) else { return nil }
            secret.former.append(FormerValue(version: former.version, until: former.until, value: value))
        }
        return rest.isEmpty ? secret : nil
    }
}
