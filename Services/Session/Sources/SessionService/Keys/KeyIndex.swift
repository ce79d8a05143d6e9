import BulkheadCore
import Synchronization

/// All keys, in memory: an admission looks its key up here and touches no disk. Changed only after the change is durable.
package final class KeyIndex: Sendable {
    private struct State {
        var byDigest: [KeyDigest: KeyRecord] = [:]
        var digests: [String: KeyDigest] = [:]
    }

    private let state = Mutex(State())

    /// An index of the keys the store holds.
    package init(_ keys: [KeyRecord] = []) {
        for key in keys { publish(key) }
    }

    /// The key with this digest.
    package func find(_ digest: KeyDigest) -> KeyRecord? { state.withLock { $0.byDigest[digest] } }

    /// The key of this id.
    package func find(id: String) -> KeyRecord? { state.withLock { state in state.digests[id].flatMap { state.byDigest[$0] } } }

    /// Adds or replaces a key that is durable as it is here.
    package func publish(_ key: KeyRecord) {
        state.withLock {
            $0.byDigest[key.digest] = key
            $0.digests[key.id] = key.digest
        }
    }

    /// How many keys there are, revoked and expired ones included.
    package var count: Int { state.withLock { $0.byDigest.count } }

    /// All keys, oldest first.
    package var all: [KeyRecord] {
        state.withLock { Array($0.byDigest.values) }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }
}
