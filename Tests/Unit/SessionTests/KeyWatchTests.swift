import BulkheadAPI
import BulkheadCore
import SessionService
import Synchronization
import Testing

@Suite("Watching keys")
struct KeyWatchTests {
    @Test("A watch is told at once that it holds, then of keys that ended, tenants that were blocked and who may not spend")
    func changes() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        let watchers = bench.keys.watchers
        let ear = Ear()
        let (keys, tenants) = (bench.administration, bench.tenants)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await watchers.watch { ear.hear($0) }
                ear.end()
            }
            var told = ear.told.makeAsyncIterator()
            #expect(await told.next() == SessionAPI.WatchKeysReply(freezes: .init()))
            _ = try await keys.revoke(KeyName(id: made.id))
            #expect(await told.next() == SessionAPI.WatchKeysReply(keyIds: [made.id]))
            _ = try await tenants.block(TenantBlock(tenant: "acme"))
            #expect(await told.next() == SessionAPI.WatchKeysReply(tenants: ["acme"]))
            _ = try await tenants.unblock(TenantBlock(tenant: "acme"))
            _ = try await tenants.freeze(SpendFreeze())
            #expect(await told.next() == SessionAPI.WatchKeysReply(freezes: .init(everybody: true)))
            _ = try await tenants.freeze(SpendFreeze(tenant: "acme"))
            #expect(await told.next() == SessionAPI.WatchKeysReply(freezes: .init(everybody: true, tenants: ["acme"])))
            _ = try await tenants.unfreeze(SpendFreeze())
            #expect(await told.next() == SessionAPI.WatchKeysReply(freezes: .init(tenants: ["acme"])))
            watchers.close()
            #expect(await told.next() == nil)
            try await group.waitForAll()
        }
        #expect(watchers.count == 0)
    }

    @Test("A new key, and a change that changes nothing, are nobody's news")
    func silence() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey()
        _ = try await bench.administration.revoke(KeyName(id: old.id))
        let (watchers, ear, clock) = (bench.keys.watchers, Ear(), bench.clock)
        let (keys, tenants) = (bench.administration, bench.tenants)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watchers.watch { ear.hear($0) } }
            var told = ear.told.makeAsyncIterator()
            #expect(await told.next() == SessionAPI.WatchKeysReply(freezes: .init()))
            let made = try await keys.create(KeyCreation(tenant: "acme"))
            clock.now = clock.now + .seconds(1)
            _ = try await keys.revoke(KeyName(id: old.id))
            _ = try await tenants.unblock(TenantBlock(tenant: "acme"))
            _ = try await keys.revoke(KeyName(id: made.id))
            #expect(await told.next() == SessionAPI.WatchKeysReply(keyIds: [made.id]))
            watchers.close()
            try await group.waitForAll()
        }
    }

    @Test("Changes that come while one is told are told together; too many are everything")
    func slowWatcher() async throws {
        let bench = try await SessionBench()
        let watchers = bench.keys.watchers
        let (ear, gate) = (Ear(), Ear())
        var records: [KeyRecord] = []
        for index in 0 ..< 1100 {
            let digest = KeyDigest(of: "\(index)")
            records.append(KeyRecord(id: "key_\(index)", digest: digest, tenant: "acme", createdAt: 0))
        }
        for record in records { bench.keys.publish(record) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await watchers.watch { reply in
                    ear.hear(reply)
                    var opened = gate.told.makeAsyncIterator()
                    _ = await opened.next()
                }
            }
            var told = ear.told.makeAsyncIterator()
            _ = await told.next()
            func end(_ range: Range<Int>) {
                for index in range {
                    records[index].revokedAt = (records[index].revokedAt ?? 0) + 1
                    bench.keys.publish(records[index])
                }
            }
            end(0 ..< 3)
            gate.hear(SessionAPI.WatchKeysReply())
            #expect(await told.next()?.keyIds == ["key_0", "key_1", "key_2"])
            end(0 ..< 1100)
            gate.hear(SessionAPI.WatchKeysReply())
            #expect(await told.next() == SessionAPI.WatchKeysReply(all: true))
            gate.end()
            watchers.close()
            try await group.waitForAll()
        }
    }

    @Test("There is room for 64 watches; one that leaves makes room; after the drain there are none")
    func bounds() async throws {
        let watchers = KeyWatchers()
        let ear = Ear()
        await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0 ..< 64 { group.addTask { try await watchers.watch { ear.hear($0) } } }
            var told = ear.told.makeAsyncIterator()
            for _ in 0 ..< 64 { _ = await told.next() }
            #expect(watchers.count == 64)
            let error = await #expect(throws: CallError.self) { try await watchers.watch { _ in } }
            #expect(error?.code == .resourceExhausted && error?.notProcessed == true)
            group.cancelAll()
            // Cancelled watches end with the word that they were.
            while let result = await group.nextResult() {
                #expect(throws: CancellationError.self) { try result.get() }
            }
        }
        #expect(watchers.count == 0)
        watchers.close()
        try await watchers.watch { _ in Issue.record("a watch was told of something after the drain") }
    }
}

/// What a watch was told, and the place where a test waits for more of it.
struct Ear: Sendable {
    let told: AsyncStream<SessionAPI.WatchKeysReply>
    private let mouth: AsyncStream<SessionAPI.WatchKeysReply>.Continuation

    init() { (told, mouth) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(10_000)) }

    func hear(_ reply: SessionAPI.WatchKeysReply) { mouth.yield(reply) }
    func end() { mouth.finish() }
}
