import BulkheadCore
import BulkheadStore

/// Makes, ends and shows keys. Every change is durable before the index knows it, so that no answer is given on a key that a
/// crash would undo; from then on it holds at once.
package struct KeyAdministration: Sendable {
    let index: KeyIndex
    let store: any DurableStore
    let spend: SpendLedger
    let now: @Sendable () -> Moment

    /// - Parameter now: the clock.
    package init(index: KeyIndex, store: any DurableStore, spend: SpendLedger, now: @escaping @Sendable () -> Moment) {
        self.index = index
        self.store = store
        self.spend = spend
        self.now = now
    }

    /// - Throws: INVALID_ARGUMENT, RESOURCE_EXHAUSTED at `KeyTable.capacity`, and what a commit throws.
    package func create(_ asked: KeyCreation) async throws -> KeyCreated {
        guard index.count < KeyTable.capacity else {
            throw CallError(
                .resourceExhausted, reason: "too_many_keys",
                message: "there are \(KeyTable.capacity) keys already: revoke unused ones and purge them")
        }
        let text = APIKey.random()
        let key = try KeyRules.record(
            asked, id: APIKey.randomID(), digest: KeyDigest(of: text), now: now().unixMilliseconds)
        try await store.transact { db in try KeyTable.insert(key, db) }
        index.publish(key)
        return KeyCreated(id: key.id, key: text, tenant: key.tenant, user: key.user, expiresAt: key.expiresAt)
    }

    /// Ends a key now. Revoking twice is no error.
    package func revoke(_ name: KeyName) async throws -> KeyReport {
        var key = try find(name.id)
        let present = now().unixMilliseconds
        if key.revokedAt == nil {
            key.revokedAt = present
            try await end(key)
        }
        return KeyReport(key, now: present)
    }

    /// A new key with all the old one has; the old one ends after the overlap. Both changes in one transaction.
    package func rotate(_ asked: KeyRotation) async throws -> KeyCreated {
        var old = try find(asked.id)
        let present = now().unixMilliseconds
        if let reason = old.refusal(at: present) {
            throw CallError(
                .failedPrecondition, message: "\(asked.id) cannot be rotated: \(reason); make a new one with `keys create`")
        }
        let text = APIKey.random()
        var new = old
        new.id = APIKey.randomID()
        new.digest = KeyDigest(of: text)
        new.createdAt = present
        new.replaces = old.id
        let overlap = try asked.overlap.flatMap { $0 == "0" ? nil : try KeyRules.milliseconds($0, option: "--overlap") }
        if let overlap {
            old.expiresAt = min(old.expiresAt ?? .max, present + overlap)
        } else {
            old.revokedAt = present
        }
        let (made, ended) = (new, old)
        try await store.transact { db in
            try KeyTable.insert(made, db)
            try KeyTable.updateEnd(ended, db)
        }
        index.publish(made)
        index.publish(ended)
        return KeyCreated(id: made.id, key: text, tenant: made.tenant, user: made.user, expiresAt: made.expiresAt)
    }

    /// All keys, oldest first.
    package func list() -> [KeyReport] {
        let present = now().unixMilliseconds
        return index.all.map { KeyReport($0, now: present) }
    }

    /// One key with what it spent, up to this moment.
    package func show(_ name: KeyName) async throws -> KeyReport {
        let key = try find(name.id)
        let present = now().unixMilliseconds
        try await spend.flush(store)
        var report = KeyReport(key, now: present)
        (report.spend, report.spendToday) = try await store.transact { db in
            (try SpendTable.total(keyID: key.id, db), try SpendTable.total(keyID: key.id, day: SpendLedger.day(present), db))
        }
        return report
    }

    /// All tenants that have or had a key, by name.
    package func tenants() async throws -> [TenantReport] {
        try await spend.flush(store)
        let present = now().unixMilliseconds
        let spent = try await store.transact { db in try SpendTable.byTenant(db) }
        return Dictionary(grouping: index.all, by: \.tenant).map { tenant, keys in
            TenantReport(
                tenant: tenant, keys: keys.count { $0.refusal(at: present) == nil }, spend: spent[tenant] ?? Spend())
        }
        .sorted { $0.tenant < $1.tenant }
    }

    private func find(_ id: String) throws -> KeyRecord {
        if let key = index.find(id: id) { return key }
        let hint = id.hasPrefix(APIKey.prefix) ? "that looks like a key itself: name it by its id" : "there is no key of this id"
        // Never the text: it may be a key.
        throw CallError(.notFound, reason: "key_not_found", message: "\(hint); `keys list` shows the ids")
    }

    private func end(_ key: KeyRecord) async throws {
        try await store.transact { db in try KeyTable.updateEnd(key, db) }
        index.publish(key)
    }
}
