import Crypto
import NIOCore

/// The state of the vault file that was seen last, kept beside it: `vault.counter`, all integers big-endian:
///
///     magic 8 · vault id 16 · counter 8 · MAC of the vault file 32 · HMAC-SHA256 over all before, 32
///
/// Written after the vault file: a crash in between leaves a vault that is newer than what was seen, which is in order. An
/// older one is not.
struct RollbackCounter: Equatable {
    private static let magic = Array("BHCOUNT\n".utf8)
    private static let length = 96

    var id: [UInt8]
    var counter: UInt64
    /// The last 32 bytes of the vault file.
    var fileMAC: [UInt8]

    /// What is wrong with a vault file after this state was seen; nil when nothing is.
    func problem(_ file: VaultFile, fileMAC: [UInt8]) -> String? {
        if file.id != id { return "it is another vault than the one that was here" }
        if file.counter < counter { return "it is at change \(file.counter), and change \(counter) was seen" }
        if file.counter == counter, fileMAC != self.fileMAC { return "it is not the file that was written as change \(counter)" }
        return nil
    }

    func encoded(_ key: SymmetricKey) -> [UInt8] {
        var out = ByteBuffer()
        out.writeBytes(Self.magic)
        out.writeBytes(id)
        out.writeInteger(counter)
        out.writeBytes(fileMAC)
        let signed = Array(out.readableBytesView)
        return signed + Array(HMAC<SHA256>.authenticationCode(for: signed, using: key))
    }

    /// - Returns: nil when it is damaged, or of another key.
    static func read(_ bytes: [UInt8], _ key: SymmetricKey) -> RollbackCounter? {
        guard bytes.count == length,
            HMAC<SHA256>.isValidAuthenticationCode(bytes.suffix(32), authenticating: bytes.dropLast(32), using: key)
        else { return nil }
        var rest = ByteBuffer(bytes: bytes)
        guard rest.readBytes(length: magic.count) == magic, let id = rest.readBytes(length: 16),
            let counter = rest.readInteger(as: UInt64.self), let mac = rest.readBytes(length: 32)
        else { return nil }
        return RollbackCounter(id: id, counter: counter, fileMAC: mac)
    }
}
