import BulkheadCore
import BulkheadStore

/// Makes, ends and shows keys. Every change is durable before the index knows it, so that no answer is given on a key that a
/// crash would undo; from then on it holds at once. What a change depends on is read in its transaction: another suite that
/// shares the store may have changed the key a moment ago.
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
        var asking = try KeyRules.record(
            asked, id: APIKey.randomID(), digest: KeyDigest(of: text), now: now().unixMilliseconds)
        asking.prefix = APIKey.shown(text)
        let key = asking
        let made = try await store.transact { db in try KeyTable.insert(key, db) }
        index.publish(made)
        return KeyCreated(id: made.id, key: text, tenant: made.tenant, user: made.user, expiresAt: made.expiresAt)
    }

    /// Ends a key now. Revoking twice is no error, and keeps the first time.
    package func revoke(_ name: KeyName) async throws -> KeyReport {
        let present = now().unixMilliseconds
        let found = try await store.transact { db in try KeyTable.end(name.id, revokedAt: present, db) }
        guard let key = found else { throw Self.unknown(name.id) }
        index.publish(key)
        return KeyReport(key, now: present)
    }

    /// A new key with all the old one has, and that goes on with its account; the old one ends after the overlap. Both changes in one transaction.
    package func rotate(_ asked: KeyRotation) async throws -> KeyCreated {
        let present = now().unixMilliseconds
        let overlap = try asked.overlap.flatMap { $0 == "0" ? nil : try KeyRules.milliseconds($0, option: "--overlap") }
        let (text, id) = (APIKey.random(), APIKey.randomID())
        let (made, ended) = try await store.transact { db in
            guard let old = try KeyTable.lock(id: asked.id, db) else { throw Self.unknown(asked.id) }
            if let reason = old.refusal(at: present) { throw Self.ended(old, reason) }
            let made = try KeyTable.insert(Self.successor(of: old, id: id, text: text, now: present), db)
            let ended = try KeyTable.end(
                old.id, expiresAt: overlap.map { present + $0 }, revokedAt: overlap == nil ? present : nil, db)
            return (made, ended ?? old)
        }
        index.publish(made)
        index.publish(ended)
        return KeyCreated(id: made.id, key: text, tenant: made.tenant, user: made.user, expiresAt: made.expiresAt)
    }

    private static func successor(of old: KeyRecord, id: String, text: String, now: Int64) -> KeyRecord {
        var new = old
        new.id = id
        new.digest = KeyDigest(of: text)
        new.prefix = APIKey.shown(text)
        new.createdAt = now
        new.replaces = old.id
        return new
    }

    /// Keys, oldest first.
    /// - Throws: INVALID_ARGUMENT for a state there is not.
    package func list(_ asked: KeySelection = KeySelection()) throws -> [KeyReport] {
        if let state = asked.state, KeyState(rawValue: state) == nil {
            let known = KeyState.allCases.map(\.rawValue).joined(separator: ", ")
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "--state is \"\(state.prefix(80))\"; expected one of \(known)")
        }
        let present = now().unixMilliseconds
        return index.all.lazy.filter { asked.tenant == nil || $0.tenant == asked.tenant }.map { KeyReport($0, now: present) }
            .filter { asked.state == nil || $0.state == asked.state }
    }

    /// One key with what it and those it replaces spent, up to this moment.
    package func show(_ name: KeyName) async throws -> KeyReport {
        let present = now().unixMilliseconds
        try await spend.flush(store)
        return try await store.transact { db in
            guard let key = try KeyTable.find(id: name.id, db) else { throw Self.unknown(name.id) }
            var report = KeyReport(key, now: present)
            report.spend = try SpendTable.total(account: key.account, db)
            report.spendToday = try SpendTable.total(account: key.account, day: SpendLedger.day(present), db)
            report.lastUsedDay = try SpendTable.lastDay(keyID: key.id, db).map { $0 * 86_400_000 }
            return report
        }
    }

    private static func ended(_ key: KeyRecord, _ reason: String) -> CallError {
        CallError(.failedPrecondition, message: "\(key.id) cannot be rotated: \(reason); make a new one with `keys create`")
    }

    static func unknown(_ id: String) -> CallError {
        let hint = id.hasPrefix(APIKey.prefix) ? "that looks like a key itself: name it by its id" : "there is no key of this id"
        // Never the text: it may be a key.
        return CallError(.notFound, reason: "key_not_found", message: "\(hint); `keys list` shows the ids")
    }
}
