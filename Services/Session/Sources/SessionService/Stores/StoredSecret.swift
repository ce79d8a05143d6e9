import BulkheadCore
import BulkheadStore
import Crypto
import NIOCore
import Synchronization

/// A secret of 32 bytes that the store keeps under a name, the same for all who share the store: UNREAD → (first use) READ.
package final class StoredSecret: Sendable {
    private let name: String
    private let key = Mutex<SymmetricKey?>(nil)

    private static let read = Statement("setting.read", "SELECT value FROM setting WHERE name = $1")
    private static let write = Statement(
        "setting.write", "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")

    init(_ name: String) { self.name = name }

    /// Reads it once, and makes it at the store's first use. Those who come at the same time read the same.
    /// - Throws: what `DurableStore.transact` throws.
    func value(_ store: any DurableStore) async throws -> SymmetricKey {
        if let known = key.withLock({ $0 }) { return known }
        let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        let bytes = try await store.transact { [name] transaction in
            try transaction.run(Self.write, [.text(name), .bytes(fresh)])
            return try transaction.rows(Self.read, [.text(name)]).first?.bytes(0) ?? ByteBuffer()
        }
        let read = SymmetricKey(data: Array(bytes.readableBytesView))
        key.withLock { $0 = read }
        return read
    }
}
