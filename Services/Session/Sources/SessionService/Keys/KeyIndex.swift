import BulkheadCore
import BulkheadStore
import Synchronization

/// All keys and the standing of their tenants, in memory: an admission looks its key up here and touches no disk. Changed only
/// after the change is durable. Whoever watches hears of every change.
package final class KeyIndex: Sendable {
    private struct State {
        var byDigest: [KeyDigest: KeyRecord] = [:]
        var digests: [String: KeyDigest] = [:]
        /// Those that have or had a key.
        var tenants: Set<String> = []
    }

    private let state = Mutex(State())
    /// Who is blocked, and who may not spend.
    package let tenants: TenantIndex
    /// Who is told of changes.
    package let watchers: KeyWatchers

    /// An index of the keys the store holds.
    package init(_ keys: [KeyRecord] = []) {
        tenants = TenantIndex()
        watchers = KeyWatchers(tenants: tenants)
        for key in keys { publish(key) }
    }

    /// An index of all that `store` holds of keys and tenants.
    package static func load(_ store: any DurableStore) async throws -> KeyIndex {
        let index = KeyIndex()
        try await KeySharing(index: index, store: store).refresh()
        return index
    }

    /// The key with this digest.
    package func find(_ digest: KeyDigest) -> KeyRecord? { state.withLock { $0.byDigest[digest] } }

    /// The key of this id.
    package func find(id: String) -> KeyRecord? { state.withLock { state in state.digests[id].flatMap { state.byDigest[$0] } } }

    /// Adds or replaces a key that is durable as it is here. What was read before a later change was made changes nothing.
    package func publish(_ key: KeyRecord) {
        let isChanged = state.withLock { state in
            guard var known = state.byDigest.updateValue(key, forKey: key.digest) else {
                state.digests[key.id] = key.digest
                state.tenants.insert(key.tenant)
                return false
            }
            guard known.changedAt <= key.changedAt else {
                state.byDigest[key.digest] = known
                return false
            }
            known.changedAt = key.changedAt
            return known != key
        }
        if isChanged { watchers.keyChanged(key.id) }
    }

    /// Takes in how a tenant stands, as it is durable. Who is let in again is nobody's news: those who remember keys forgot its
    /// when it was blocked.
    package func publish(_ tenant: TenantStanding) {
        guard let known = tenants.publish(tenant) else { return }
        if tenant.blockedAt != nil { tenant.isEverybody ? watchers.everythingChanged() : watchers.tenantChanged(tenant.tenant) }
        if (known.frozenAt == nil) != (tenant.frozenAt == nil) { watchers.freezesChanged() }
    }

    /// Whether a tenant has or had a key, or an operator ever blocked or froze it.
    package func knows(tenant: String) -> Bool {
        state.withLock { $0.tenants.contains(tenant) } || !tenant.isEmpty && tenants.standing(of: tenant).tenant != nil
    }

    /// How many keys there are, revoked and expired ones included.
    package var count: Int { state.withLock { $0.byDigest.count } }

    /// All keys, oldest first.
    package var all: [KeyRecord] {
        state.withLock { Array($0.byDigest.values) }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }
}
