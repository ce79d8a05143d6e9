import BulkheadServiceKit
import BulkheadStore

/// The verbs of keys, tenants and spend.
struct KeyVerbs: Sendable {
    let keys: KeyAdministration
    let tenants: TenantAdministration
    /// Brings the index up to date where suites share a store; nil where nobody else writes.
    let sharing: KeySharing?

    init(index: KeyIndex, store: any DurableStore, spend: SpendLedger, sharing: KeySharing?) {
        keys = KeyAdministration(index: index, store: store, spend: spend, now: Moment.now)
        tenants = TenantAdministration(index: index, store: store, spend: spend, now: Moment.now)
        self.sharing = sharing
    }

    var all: [AdminVerb] {
        [
            AdminVerb("keys.create") { (asked: KeyCreation) in try await keys.create(asked) },
            AdminVerb("keys.list") { (asked: KeySelection) in
                try await sharing?.refresh()
                return try keys.list(asked)
            },
            AdminVerb("keys.show") { (asked: KeyName) in try await keys.show(asked) },
            AdminVerb("keys.revoke") { (asked: KeyName) in try await keys.revoke(asked) },
            AdminVerb("keys.rotate") { (asked: KeyRotation) in try await keys.rotate(asked) },
            AdminVerb("tenants.list") { (_: NoValue) in
                try await sharing?.refresh()
                return try await tenants.list()
            },
            AdminVerb("tenants.block") { (asked: TenantBlock) in try await tenants.block(asked) },
            AdminVerb("tenants.unblock") { (asked: TenantBlock) in try await tenants.unblock(asked) },
            AdminVerb("spend.freeze") { (asked: SpendFreeze) in
                try await sharing?.refresh()
                return try await tenants.freeze(asked)
            },
            AdminVerb("spend.unfreeze") { (asked: SpendFreeze) in
                try await sharing?.refresh()
                return try await tenants.unfreeze(asked)
            },
        ]
    }
}
