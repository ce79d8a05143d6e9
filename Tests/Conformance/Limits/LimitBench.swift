import BulkheadCore
import BulkheadRedis
import BulkheadStore
import Foundation
import RedisFixture
import SessionService
import Synchronization

/// Random numbers from a seed.
struct Xorshift {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(bound))
    }
}

/// One suite's desk over a Redis, with a durable store of its own. Its clock is moved by hand; Redis has its own.
final class SuiteUnderTest: Sendable {
    let local = LocalLimits()
    let spend = SpendLedger()
    let store: SQLiteStore
    let shared: SharedLimits
    let desk: LimitDesk
    private let moment = Mutex(SuiteUnderTest.start)
    private let folder: String

    static let start = Moment(monotonic: MonotonicTime(nanoseconds: 1_000_000_000_000), unixMilliseconds: 1_800_000_000_000)

    var now: Moment {
        get { moment.withLock { $0 } }
        set { moment.withLock { $0 = newValue } }
    }

    /// - Parameter durable: names the durable store to Redis.
    init(_ client: RedisClient, durable: String) throws {
        folder = NSTemporaryDirectory() + "bhl-" + String(UInt32.random(in: .min ... .max), radix: 36)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try SQLiteStore.open(path: folder + "/s.sqlite", schema: SessionSchema.all)
        shared = SharedLimits(client, store: durable) { _, _ in }
        let away = Record()
        desk = LimitDesk(
            local: local, shared: shared, spend: spend, store: store, clock: LimitClock(Self.start),
            isAway: { failure, _ in away.note(failure) })
        record = away
    }

    deinit {
        // A folder that stays behind is no reason to fail.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// What the desk told of Redis, nil for its return.
    final class Record: Sendable {
        private let told = Mutex<[RedisFailure?]>([])
        var all: [RedisFailure?] { told.withLock { $0 } }
        func note(_ failure: RedisFailure?) { told.withLock { $0.append(failure) } }
    }

    let record: Record

    func ask(_ rules: [LimitRule], _ name: String, run: Int64 = 0, nanousd: Int = 0) async throws -> LimitAnswer {
        try await desk.ask(
            LimitQuestion(tenant: "acme", admission: name, rules: rules, run: run, nanousd: nanousd), now: now)
    }

    func settle(_ name: String, nanousd: Int = 0) {
        desk.settle(LimitSettlement(tenant: "acme", admission: name, nanousd: nanousd, ran: true), now: now)
    }

    /// How many of `count` questions are admitted.
    func admitted(_ count: Int, _ rules: [LimitRule], _ prefix: String) async throws -> Int {
        var admitted = 0
        for number in 0 ..< count where try await ask(rules, "\(prefix)\(number)").isAdmitted { admitted += 1 }
        return admitted
    }
}

extension RedisClient {
    /// A command of the test's own.
    func word(_ words: String...) async throws -> RedisReply {
        guard let reply = try await run([RedisCommand(words)], within: .seconds(5)).first else { throw RedisFailure.garbled }
        return reply
    }
}
