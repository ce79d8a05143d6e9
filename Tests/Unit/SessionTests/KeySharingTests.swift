import BulkheadAPI
import BulkheadCore
import BulkheadStore
import SessionService
import Synchronization
import Testing

/// Two sessions on one store, as two suites have it.
@Suite("Keys that suites share")
struct KeySharingTests {
    private let here: SessionBench
    private let there: SessionBench
    private let store: ShakyStore
    private let sharing: KeySharing
    private let lookup: KeyLookup

    init() async throws {
        there = try await SessionBench()
        here = try await SessionBench(folder: there.folder)
        let (store, clock) = (ShakyStore(here.store), here.clock)
        self.store = store
        sharing = KeySharing(index: here.keys, store: store)
        lookup = KeyLookup(index: here.keys, store: store, now: { clock.now.monotonic })
    }

    @Test("A key made elsewhere is found when it comes")
    func made() async throws {
        let made = try await there.makeKey()
        let digest = KeyDigest(of: made.key)
        #expect(lookup.isNeeded(for: digest))
        try await lookup.find(digest)
        #expect(!lookup.isNeeded(for: digest))
        #expect(try await here.admit(made.key).verdict == .admitted)
    }

    @Test("What was changed elsewhere is known after the next look, and told to watches")
    func changed() async throws {
        let (ended, kept) = (try await there.makeKey(), try await there.makeKey("other"))
        try await sharing.refresh()
        #expect(try await here.admit(ended.key).verdict == .admitted)
        let (watchers, ear) = (here.keys.watchers, Ear())
        var (keys, tenants): (Set<String>, Set<String>) = ([], [])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watchers.watch { ear.hear($0) } }
            var told = ear.told.makeAsyncIterator()
            _ = await told.next()
            _ = try await there.administration.revoke(KeyName(id: ended.id))
            _ = try await there.tenants.block(TenantBlock(tenant: "other"))
            try await sharing.refresh()
            while keys.count + tenants.count < 2, let change = await told.next() {
                keys.formUnion(change.keyIds)
                tenants.formUnion(change.tenants)
            }
            watchers.close()
            try await group.waitForAll()
        }
        #expect(keys == [ended.id] && tenants == ["other"])
        #expect(try await here.admit(ended.key).verdict == .keyRefused)
        #expect(try await here.admit(kept.key).verdict == .tenantBlocked)
    }

    @Test("What was written with a time a little before the last look is seen by the next")
    func lateCommit() async throws {
        here.now = here.now + .seconds(9)
        try await sharing.refresh()
        let made = try await there.makeKey()
        try await sharing.refresh()
        #expect(here.keys.find(id: made.id) != nil)
    }

    @Test("More changes than a page holds are all read")
    func pages() async throws {
        let insert = Statement(
            "test.many",
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
            INSERT INTO api_key (id, digest, tenant, is_admin, may_assert_user, destinations, models, created_at, changed_at)
            SELECT 'key_' || i, randomblob(32), 'acme', 0, 0, '', '', 1, 7 + i / 1200 FROM n
            """)
        _ = try await there.store.transact { try $0.run(insert, []) }
        try await sharing.refresh()
        #expect(here.keys.count == 2500)
    }

    @Test("A key that does not exist is looked for once a second")
    func absent() async throws {
        let digest = KeyDigest(of: "bh_nobody")
        for _ in 0 ..< 100 { try await lookup.find(digest) }
        #expect(store.count == 1)
        here.now = here.now + .seconds(1)
        try await lookup.find(digest)
        #expect(store.count == 2)
    }

    @Test("Unknown keys that come at once share queries")
    func flood() async throws {
        let made = try await there.makeKey()
        store.hold()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [lookup] in try await lookup.find(KeyDigest(of: "bh_first")) }
            while store.count == 0 { await Task.yield() }
            for index in 0 ..< 500 { group.addTask { [lookup] in try await lookup.find(KeyDigest(of: "bh_\(index)")) } }
            group.addTask { [lookup] in try await lookup.find(KeyDigest(of: made.key)) }
            while lookup.waitingCount < 501 { await Task.yield() }
            store.release()
            try await group.waitForAll()
        }
        #expect(store.count == 3, "the first, and two of 256 at most")
        #expect(try await here.admit(made.key).verdict == .admitted)
    }

    @Test("While the store is away known keys stay good, unknown ones are not called wrong, and nothing is missed")
    func away() async throws {
        let (known, ended) = (try await there.makeKey(), try await there.makeKey())
        try await sharing.refresh()
        store.breakDown()
        let unknown = try await there.makeKey()
        _ = try await there.administration.revoke(KeyName(id: ended.id))
        await #expect(throws: CallError.self) { try await sharing.refresh() }
        let error = await #expect(throws: CallError.self) { try await lookup.find(KeyDigest(of: unknown.key)) }
        #expect(error?.code == .unavailable)
        #expect(try await here.admit(known.key).verdict == .admitted)
        #expect(try await here.admit(ended.key).verdict == .admitted)
        store.recover()
        here.now = here.now + .seconds(3600)
        try await sharing.refresh()
        #expect(try await here.admit(unknown.key).verdict == .admitted)
        #expect(try await here.admit(ended.key).verdict == .keyRefused)
    }

    @Test("An older state of a key does not undo a newer one")
    func stale() async throws {
        let made = try await here.makeKey()
        let old = try #require(here.keys.find(id: made.id))
        here.now = here.now + .seconds(1)
        _ = try await here.administration.revoke(KeyName(id: made.id))
        here.keys.publish(old)
        #expect(try await here.admit(made.key).verdict == .keyRefused)
    }

    @Test("A key that another suite ended is not given a successor, nor a longer life")
    func rotateElsewhere() async throws {
        let made = try await there.makeKey()
        try await sharing.refresh()
        _ = try await there.administration.revoke(KeyName(id: made.id))
        here.now = here.now + .seconds(1)
        let error = await #expect(throws: CallError.self) {
            _ = try await here.administration.rotate(KeyRotation(id: made.id, overlap: "1h"))
        }
        #expect(error?.code == .failedPrecondition)
        try await sharing.refresh()
        #expect(try await here.admit(made.key).verdict == .keyRefused)
    }
}

/// A store that counts what it is asked, and that a test holds up or breaks.
final class ShakyStore: DurableStore {
    private struct State {
        var count = 0
        var isBroken = false
        var isHeld = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let store: any DurableStore
    private let state = Mutex(State())

    init(_ store: any DurableStore) { self.store = store }

    var kind: StoreKind { store.kind }
    var now: Int64 { store.now }
    var inspection: any StoreInspection { store.inspection }
    /// Transactions asked for.
    var count: Int { state.withLock { $0.count } }

    func breakDown() { state.withLock { $0.isBroken = true } }
    func recover() { state.withLock { $0.isBroken = false } }
    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    func transact<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        state.withLock { $0.count += 1 }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isHeld { state.held.append(continuation) }
                return !state.isHeld
            }
            if goesOn { continuation.resume() }
        }
        guard !state.withLock({ $0.isBroken }) else {
            throw CallError(.unavailable, reason: "store_unavailable", message: "the store is away")
        }
        return try await store.transact(deadline: deadline, body)
    }
}
