import BulkheadCore
import BulkheadStore
import SessionService
import Testing

/// Keys and tenants, as two sessions that share a store see them.
@Suite("Keys on every store")
struct KeyStoreTests {
    private static let now = Moment(monotonic: MonotonicTime(nanoseconds: 1), unixMilliseconds: 1_800_000_000_000)

    private func keys(_ index: KeyIndex, _ store: any DurableStore) -> KeyAdministration {
        KeyAdministration(index: index, store: store, spend: SpendLedger(), now: { Self.now })
    }

    @Test("A key comes back as it was made, by its digest and by the changes since", arguments: StoreUnderTest.all)
    func roundTrip(kind: StoreUnderTest) async throws {
        try await kind.withStore(clock: { Self.now.unixMilliseconds }) { store in
            let (here, there) = (KeyIndex(), KeyIndex())
            var asked = KeyCreation(tenant: "acme")
            (asked.user, asked.scopes, asked.models, asked.rpm) = ("ada", ["read", "models"], ["gpt-*"], 7)
            (asked.expires, asked.budgetUSD, asked.admin) = ("1d", 1.5, true)
            let made = try await keys(here, store).create(asked)
            let digest = KeyDigest(of: made.key)
            try await KeyLookup(index: there, store: store).find(digest)
            #expect(there.find(digest) != nil && there.find(digest) == here.find(digest))
            let all = try await KeyIndex.load(store)
            #expect(all.find(id: made.id) == here.find(id: made.id))
            #expect(try await keys(there, store).show(KeyName(id: made.id)).scopes == ["models", "read"])
        }
    }

    @Test("Ends come nearer and never move away, whoever writes", arguments: StoreUnderTest.all)
    func ends(kind: StoreUnderTest) async throws {
        try await kind.withStore(clock: { Self.now.unixMilliseconds }) { store in
            let (here, there) = (KeyIndex(), KeyIndex())
            let sharing = KeySharing(index: there, store: store)
            let old = try await keys(here, store).create(KeyCreation(tenant: "acme"))
            try await sharing.refresh()
            let new = try await keys(there, store).rotate(KeyRotation(id: old.id, overlap: "1h"))
            #expect(there.find(id: old.id)?.expiresAt == Self.now.unixMilliseconds + 3_600_000)
            // Here nothing is known of the rotation.
            let ended = try await keys(here, store).revoke(KeyName(id: old.id))
            #expect(ended.state == "revoked" && ended.expiresAt == Self.now.unixMilliseconds + 3_600_000)
            await #expect(throws: CallError.self) {
                _ = try await keys(there, store).rotate(KeyRotation(id: old.id, overlap: nil))
            }
            try await sharing.refresh()
            #expect(there.find(id: old.id)?.revokedAt == Self.now.unixMilliseconds)
            #expect(there.find(id: new.id)?.replaces == old.id && there.count == 2)
        }
    }

    @Test("Of parallel rotations without overlap one wins", arguments: StoreUnderTest.all)
    func oneSuccessor(kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let index = KeyIndex()
            let desk = KeyAdministration(index: index, store: store, spend: SpendLedger(), now: Moment.now)
            let old = try await desk.create(KeyCreation(tenant: "acme"))
            let won = await withTaskGroup(of: Bool.self) { group in
                for _ in 0 ..< 8 {
                    group.addTask { (try? await desk.rotate(KeyRotation(id: old.id, overlap: nil))) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(won == 1 && index.count == 2)
        }
    }

    @Test("Blocked tenants and frozen spend reach whoever shares the store", arguments: StoreUnderTest.all)
    func tenants(kind: StoreUnderTest) async throws {
        try await kind.withStore { store in
            let (here, there) = (KeyIndex(), KeyIndex())
            let sharing = KeySharing(index: there, store: store)
            let desk = { (index: KeyIndex) in
                TenantAdministration(index: index, store: store, spend: SpendLedger(), now: Moment.now)
            }
            _ = try await desk(here).block(TenantBlock(tenant: "acme", reason: "unpaid"))
            _ = try await desk(here).freeze(SpendFreeze())
            try await sharing.refresh()
            #expect(try await desk(there).list().map(\.reason) == ["unpaid"])
            #expect(try await desk(there).freeze(SpendFreeze(tenant: "other")).everybodySince != nil)
            _ = try await desk(there).unblock(TenantBlock(tenant: "acme"))
            #expect(try await desk(there).unfreeze(SpendFreeze()).tenants == ["other"])
            try await KeySharing(index: here, store: store).refresh()
            #expect(try await desk(here).list().map(\.tenant) == ["other"])
        }
    }
}
