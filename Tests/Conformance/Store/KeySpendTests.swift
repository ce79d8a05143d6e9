import BulkheadCore
import BulkheadStore
import SessionService
import Testing

@Suite("Keys and spend in a durable store")
struct KeySpendTests {
    @Test("A key comes back with all it has, its end too", arguments: StoreUnderTest.all)
    func keys(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        let store = try await place.open()
        let index = KeyIndex()
        let desk = KeyAdministration(index: index, store: store, spend: SpendLedger(), now: { Self.moment })
        var asked = KeyCreation(tenant: "acme")
        (asked.user, asked.rpm, asked.tpm, asked.concurrency) = ("ada é", 5, 6_000_000_000, 7)
        (asked.admin, asked.assertUser, asked.models, asked.expires) = (true, true, ["assistant", "other"], "30d")
        let made = try await desk.create(asked)
        let plain = try await desk.create(KeyCreation(tenant: "other"))
        _ = try await desk.revoke(KeyName(id: plain.id))
        let found = try await KeyIndex.load(place.open())
        let full = try #require(found.find(id: made.id))
        #expect(full.digest == KeyDigest(of: made.key) && full.tenant == "acme" && full.user == "ada é")
        #expect(full.requestsPerMinute == 5 && full.tokensPerMinute == 6_000_000_000 && full.concurrency == 7)
        #expect(full.isAdmin && full.mayAssertUser && full.models == ["assistant", "other"])
        #expect(full.createdAt == Self.moment.unixMilliseconds && full.expiresAt == made.expiresAt && full.revokedAt == nil)
        let ended = try #require(found.find(id: plain.id))
        #expect(ended.revokedAt == Self.moment.unixMilliseconds && ended.user == nil && ended.requestsPerMinute == nil)
        #expect(found.count == 2)
    }

    @Test("Spend adds up over flushes, parallel ones too, and is there when opened anew", arguments: StoreUnderTest.all)
    func spend(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        let store = try await place.open()
        let desk = KeyAdministration(index: KeyIndex(), store: store, spend: SpendLedger(), now: { Self.moment })
        let made = try await desk.create(KeyCreation(tenant: "acme"))
        let key = try #require(try await KeyIndex.load(store).find(id: made.id))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0 ..< 20 {
                group.addTask {
                    let ledger = SpendLedger()
                    let spent = Spend(requests: 1, inputTokens: 10, outputTokens: 20, costNanousd: 3_000_000_000)
                    #expect(ledger.add(spent, admission: "a\(index)", key: key, now: Self.moment.unixMilliseconds))
                    try await ledger.flush(store)
                }
            }
            try await group.waitForAll()
        }
        let index = KeyIndex([key])
        let again = KeyAdministration(index: index, store: try await place.open(), spend: SpendLedger(), now: { Self.moment })
        let shown = try await again.show(KeyName(id: made.id))
        #expect(shown.spend == Spend(requests: 20, inputTokens: 200, outputTokens: 400, costNanousd: 60_000_000_000))
    }

    private static let moment = Moment(
        monotonic: MonotonicTime(nanoseconds: 1_000_000_000_000), unixMilliseconds: 1_800_000_000_000)
}
