import CredentialsService
import Crypto
import Foundation
import NIOCore
import Testing

/// A vault file of version 1 with one secret, as the program before this one wrote it.
private func versionOne(_ master: SymmetricKey, _ value: [UInt8]) throws -> [UInt8] {
    let (id, salt) = ([UInt8](repeating: 1, count: 16), [UInt8](repeating: 2, count: 16))
    func derived(_ purpose: String, _ bytes: Int) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: master, salt: salt, info: Array(purpose.utf8), outputByteCount: bytes)
    }
    var policy = ByteBuffer()
    for text in ["api.example.com", "bearer"] {
        policy.writeInteger(UInt16(text.utf8.count))
        policy.writeString(text)
    }
    policy.writeInteger(UInt16(443))
    for time in [Int64(5), 0, 0] { policy.writeInteger(time) }
    let name = "ONE"
    var data = ByteBuffer(bytes: Array("BHVAULT\n".utf8))
    data.writeInteger(UInt32(1))
    data.writeBytes(id)
    data.writeInteger(UInt16(name.utf8.count))
    data.writeString(name)
    data.writeBytes(policy.readableBytesView)
    let box = try AES.GCM.seal(
        value, using: derived("bulkhead vault v1 items", 32), authenticating: Array(data.readableBytesView))
    let sealed = try #require(box.combined)
    var out = ByteBuffer(bytes: Array("BHVAULT\n".utf8))
    out.writeInteger(UInt32(1))
    out.writeBytes(id)
    out.writeBytes(salt)
    out.writeBytes(derived("bulkhead vault v1 check", 16).withUnsafeBytes { Array($0) })
    out.writeInteger(UInt64(3))
    out.writeInteger(UInt32(1))
    out.writeInteger(UInt16(name.utf8.count))
    out.writeString(name)
    out.writeInteger(UInt16(policy.readableBytes))
    out.writeBytes(policy.readableBytesView)
    out.writeInteger(UInt32(sealed.count))
    out.writeBytes(sealed)
    let signed = Array(out.readableBytesView)
    return signed + Array(HMAC<SHA256>.authenticationCode(for: signed, using: derived("bulkhead vault v1 mac", 32)))
}

@Test(
    "a vault of version 1 opens, and is written as version 2 with the next change",
    arguments: [[UInt8](repeating: 9, count: 32), Array("exactly-32-characters-of-a-text!".utf8)])
func fromVersionOne(_ key: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let value = Array("an-old-value-0123".utf8)
    try folder.write("key", key)
    try folder.write("vault.bhv", try versionOne(SymmetricKey(data: key), value))
    func vault() -> Vault {
        Vault(path: folder.path + "/vault.bhv", key: VaultKeySource(path: folder.path + "/key", origin: "a test"))
    }
    let first = vault()
    #expect(first.open() == nil)
    try first.change { $0["ONE"]?.policy.rotated = 6 }
    #expect(try folder.read("vault.bhv")[8 ..< 12].elementsEqual([0, 0, 0, 2]))
    let second = vault()
    #expect(second.open() == nil)
    guard case .open(let secrets) = second.state else { return }
    #expect(secrets["ONE"]?.value.withBytes { Array($0) } == value)
    #expect(secrets["ONE"]?.policy.rotated == 6 && secrets["ONE"]?.policy.host.host == "api.example.com")
}
