import BulkheadAPI
import Synchronization

/// What operators decided on a tenant.
package struct TenantStanding: Sendable, Equatable {
    /// The name; empty: all tenants.
    package var tenant: String
    /// Milliseconds since 1970, as all times here. nil: not blocked.
    package var blockedAt: Int64?
    /// Why, as the operator put it.
    package var reason: String?
    /// Since when nothing may be spent; nil: it may.
    package var frozenAt: Int64?
    /// By the store's clock.
    package var changedAt: Int64 = 0

    /// A tenant nothing was decided on.
    package init(tenant: String) { self.tenant = tenant }

    /// Whether it speaks of all tenants.
    var isEverybody: Bool { tenant.isEmpty }
}

/// The standing of tenants, in memory. Those nothing was decided on are not in it.
package final class TenantIndex: Sendable {
    private let state = Mutex<[String: TenantStanding]>([:])

    /// How a tenant stands, and how all of them do.
    func standing(of tenant: String) -> (tenant: TenantStanding?, everybody: TenantStanding?) {
        state.withLock { $0.isEmpty ? (nil, nil) : ($0[tenant], $0[""]) }
    }

    /// All that something was decided on.
    var all: [TenantStanding] { state.withLock { Array($0.values) } }

    /// Who may not spend; nil: more than `most` tenants by themselves.
    func freezes(most: Int) -> SessionAPI.SpendFreezes? {
        let frozen = state.withLock { $0.values.filter { $0.frozenAt != nil } }
        let tenants = frozen.filter { !$0.isEverybody }.map(\.tenant)
        guard tenants.count <= most else { return nil }
        return SessionAPI.SpendFreezes(everybody: tenants.count < frozen.count, tenants: tenants.sorted())
    }

    /// - Returns: how it stood; nil: nothing is different now. What was read before a later change is not taken.
    func publish(_ standing: TenantStanding) -> TenantStanding? {
        state.withLock { state in
            let known = state[standing.tenant] ?? TenantStanding(tenant: standing.tenant)
            guard known.changedAt <= standing.changedAt, known != standing else { return nil }
            state[standing.tenant] = standing
            return known
        }
    }
}
