import BulkheadAPI
import BulkheadStore
import SessionService
import Testing

@Suite("The account of rotated keys")
struct KeyRotationTests {
    private static let dollar = 1_000_000_000

    @Test("A budget that is spent stays spent for the key that replaces another, also after a restart")
    func budget() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey { $0.budgetUSD = 1 }
        try await bench.settle(try await bench.admit(old.key), answer: nil, cost: Self.dollar)
        #expect(try await bench.admit(old.key).verdict == .budgetExceeded)
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: nil))
        let last = try await bench.administration.rotate(KeyRotation(id: new.id, overlap: nil))
        #expect(try await bench.admit(last.key).verdict == .budgetExceeded)
        try await bench.spend.flush(bench.store)
        let again = try await SessionBench(folder: bench.folder)
        again.now = bench.now
        #expect(try await again.admit(last.key).verdict == .budgetExceeded)
    }

    @Test("Two keys of one account share requests per minute and places for as long as both are good")
    func shared() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey {
            $0.rpm = 3
            $0.concurrency = 2
        }
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: "1h"))
        let first = try await bench.admit(old.key)
        #expect(try await bench.admit(new.key).verdict == .admitted)
        let third = try await bench.admit(old.key)
        #expect(third.verdict == .rateLimited && third.violated == ["key-concurrency"])
        try await bench.settle(first, answer: nil)
        #expect(try await bench.admit(new.key).verdict == .admitted)
        #expect(try await bench.admit(old.key).violated.contains("key-requests"))
    }

    @Test("A retry with the key that replaced the first one is answered with what is kept")
    func replay() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey()
        try await bench.settle(try await bench.admit(old.key, idempotency: "order-7"), answer: "once")
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: nil))
        let reply = try await bench.admit(new.key, idempotency: "order-7")
        #expect(reply.verdict == .replay && reply.keyID == new.id)
        #expect(try await bench.admit(new.key, idempotency: "order-8").verdict == .admitted)
    }

    @Test("Each key of an account shows what all of them spent, and the name of the first")
    func shown() async throws {
        let bench = try await SessionBench()
        let old = try await bench.makeKey()
        try await bench.settle(try await bench.admit(old.key), answer: nil, cost: 5)
        let new = try await bench.administration.rotate(KeyRotation(id: old.id, overlap: nil))
        try await bench.settle(try await bench.admit(new.key), answer: nil, cost: 7)
        let other = try await bench.makeKey()
        try await bench.settle(try await bench.admit(other.key), answer: nil, cost: 11)
        for id in [old.id, new.id] {
            let shown = try await bench.administration.show(KeyName(id: id))
            #expect(shown.account == old.id && shown.spend?.costNanousd == 12 && shown.spendToday?.requests == 2)
        }
        let stranger = try await bench.administration.show(KeyName(id: other.id))
        #expect(stranger.account == other.id && stranger.spend?.costNanousd == 11)
    }
}
