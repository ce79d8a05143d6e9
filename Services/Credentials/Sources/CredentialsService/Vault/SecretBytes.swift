import Crypto

/// Bytes of a secret or key, in `SecretMemory`. Zeroed when the last reference goes; says nothing about itself, and cannot be encoded.
package final class SecretBytes: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Written in `init` only, so that any thread may read it.
    private let slot: SecretMemory.Slot

    /// Copies the bytes.
    package init(_ bytes: some Collection<UInt8>) {
        slot = SecretMemory.shared.take(max(1, bytes.count))
        slot.bytes.copyBytes(from: bytes)
        count = bytes.count
    }

    deinit { SecretMemory.shared.giveBack(slot) }

    /// How many bytes there are.
    package let count: Int

    /// Lends the bytes to `body`, which must not keep them.
    package func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try body(UnsafeRawBufferPointer(rebasing: slot.bytes[..<count]))
    }

    /// The bytes as a key.
    func symmetricKey() -> SymmetricKey { withBytes { SymmetricKey(data: $0) } }

    package var description: String { "(secret)" }
    package var debugDescription: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
