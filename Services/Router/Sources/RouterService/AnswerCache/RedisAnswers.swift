import BulkheadAPI
import BulkheadCore
import BulkheadRedis
import Glibc
import NIOCore
import Synchronization

/// Whole answers in Redis (7.0 or later), shared by all routers that use it. What bounds them there is their time, and
/// `maxmemory` with a policy of Redis; `max_entries` is the memory's.
///
/// Keys: `bh:ac2:{tenant}:<key>` an answer; `bh:ac2:{tenant}:ix` the keys of a tenant by when they end; `bh:ac2:tenants` the
/// tenants likewise. All of them end by themselves. The number changes with the form of keys and values.
package final class RedisAnswers: AnswerStore {
    /// A lookup that takes longer is a miss.
    package static let lookupLimit = Duration.milliseconds(50)
    /// For what nobody waits for, and for each batch of a purge.
    package static let workLimit = Duration.seconds(1)
    private static let prefix = "bh:ac2:"
    private static let tenants = "bh:ac2:tenants"
    /// Keys of one batch of a purge, and tenants.
    private static let batch = 64
    /// A purge ends after this many batches: more is written meanwhile than it takes away.
    private static let mostBatches = 100_000
    /// Clocks of routers differ: an index entry goes this long after its answer.
    private static let clockMargin = Duration.seconds(3600)

    package let name = AnswerCache.redisName
    private let client: RedisClient
    private let figures = Mutex(StoreStatistics(store: AnswerCache.redisName))

    package init(_ client: RedisClient) { self.client = client }

    /// Commands are answered.
    package var isReady: Bool { client.isReady }

    package func find(_ key: CacheKey, now: MonotonicTime) async throws(StoreFailure) -> KeptAnswer? {
        let place = Self.place(key)
        // What is left of its time is the server's to say: clocks of routers differ.
        let replies = try await run([RedisCommand("GET", place), RedisCommand("PTTL", place)], within: Self.lookupLimit)
        guard let record = replies[0].bytes else { return miss() }
        guard let (events, stale) = AnswerRecord.decode(record, key: key), let left = replies[1].integer, left != -1 else {
            figures.withLock { $0.damaged += 1 }
            client.send([RedisCommand("UNLINK", place)], within: Self.workLimit) { self.note($0) }
            return miss()
        }
        // It ended between the two commands.
        guard left > 0 else { return miss() }
        let isFresh = Duration.milliseconds(left) > stale
        figures.withLock { isFresh ? ($0.hits += 1) : ($0.misses += 1) }
        return KeptAnswer(events: events, isFresh: isFresh)
    }

    package func keep(_ key: CacheKey, _ events: [ChatAPI.ChatEvent], _ time: KeepingTime, now: MonotonicTime) {
        guard let record = AnswerRecord.encode(events, stale: time.stale, key: key) else {
            return figures.withLock { $0.tooLarge += 1 }
        }
        client.send(Self.commands(key, record, time.fresh + time.stale), within: Self.workLimit) { result in
            if self.note(result) { self.figures.withLock { $0.stored += 1 } }
        }
    }

    package func purge(_ tenant: TenantDigest?) async throws(StoreFailure) -> Int {
        if let tenant { return try await purgeTenant("\(tenant)") }
        var count = 0
        for _ in 0 ..< Self.mostBatches {
            let names = try await run([RedisCommand("ZRANGE", Self.tenants, "0", "\(Self.batch - 1)")])[0].words
            if names.isEmpty { return count }
            for name in names { count += try await purgeTenant(name) }
            _ = try await run([RedisCommand(["ZREM", Self.tenants] + names)])
        }
        throw .slow
    }

    package var statistics: StoreStatistics { figures.withLock { $0 } }

    private func purgeTenant(_ tenant: String) async throws(StoreFailure) -> Int {
        var count = 0
        for _ in 0 ..< Self.mostBatches {
            let popped = try await run([RedisCommand("ZPOPMIN", Self.index(tenant), "\(Self.batch)")])[0].words
            // Members and scores take turns.
            let keys = stride(from: 0, to: popped.count, by: 2).map { Self.place(popped[$0], tenant) }
            if keys.isEmpty { return count }
            count += try await run([RedisCommand(["UNLINK"] + keys)])[0].integer ?? 0
        }
        throw .slow
    }

    // MARK: commands

    private static func place(_ key: CacheKey) -> String { place("\(key)", "\(key.tenant)") }
    private static func place(_ key: String, _ tenant: String) -> String { "\(prefix){\(tenant)}:\(key)" }
    private static func index(_ tenant: String) -> String { "\(prefix){\(tenant)}:ix" }

    /// An answer and its index entry, both or none: a purge finds whatever can be found.
    private static func commands(_ key: CacheKey, _ record: ByteBuffer, _ time: Duration) -> [RedisCommand] {
        let index = index("\(key.tenant)")
        let milliseconds = max(1, Int(time.milliseconds))
        let margin = Int(clockMargin.milliseconds)
        let now = wallClockMilliseconds()
        let (end, past, longest) = ("\(now + milliseconds)", "\(now - margin)", "\(milliseconds + margin)")
        var set = RedisCommand("SET", place(key))
        set.append(record)
        for word in ["PX", "\(milliseconds)"] { set.append(word) }
        return listed(tenants, "\(key.tenant)", end, past, longest) + [RedisCommand("MULTI")]
            + listed(index, "\(key)", end, past, longest) + [set, RedisCommand("EXEC")]
    }

    /// Puts a member into a set ordered by when members end, takes ended ones out, and lets the set live as long as its last.
    private static func listed(_ set: String, _ member: String, _ end: String, _ past: String, _ longest: String)
        -> [RedisCommand]
    {
        [
            RedisCommand("ZADD", set, "GT", end, member), RedisCommand("ZREMRANGEBYSCORE", set, "-inf", past),
            RedisCommand("PEXPIRE", set, longest, "NX"), RedisCommand("PEXPIRE", set, longest, "GT"),
        ]
    }

    private static func wallClockMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    // MARK: results

    private func run(_ commands: [RedisCommand], within limit: Duration = workLimit) async throws(StoreFailure) -> [RedisReply] {
        do {
            let replies = try await client.run(commands, within: limit)
            if replies.contains(where: { $0.errorCode != nil }) { throw StoreFailure.refused }
            return replies
        } catch {
            let failure = (error as? StoreFailure) ?? StoreFailure(error as? RedisFailure)
            note(failure)
            throw failure
        }
    }

    private func miss() -> KeptAnswer? {
        figures.withLock { $0.misses += 1 }
        return nil
    }

    /// - Returns: whether all went well.
    @discardableResult
    private func note(_ result: Result<[RedisReply], RedisFailure>) -> Bool {
        switch result {
        case .success(let replies):
            guard replies.contains(where: { $0.errorCode != nil || $0 == .null }) else { return true }
            note(.refused)
        case .failure(let failure): note(StoreFailure(failure))
        }
        return false
    }

    private func note(_ failure: StoreFailure) { figures.withLock { $0.failures[failure.rawValue, default: 0] += 1 } }
}

extension StoreFailure {
    fileprivate init(_ failure: RedisFailure?) {
        switch failure {
        case .away: self = .away
        case .timeout, .busy: self = .slow
        case .refused: self = .refused
        case .lost, .garbled, nil: self = .broken
        }
    }
}

extension RedisReply {
    /// The elements of an array as texts.
    fileprivate var words: [String] { (array ?? []).compactMap { $0.bytes.map { String(buffer: $0) } } }
}
