import BulkheadCore
import BulkheadRedis
import DequeModule
import Synchronization

/// The fast store in Redis: one call of a function decides, one ends an admission. Needs Redis 7 or newer.
package final class SharedLimits: Sendable {
    /// A decision that Redis has not made by then is made by this process.
    package static let patience = Duration.milliseconds(75)
    /// Ends that Redis was not told of; beyond it the oldest are dropped: what they hold is free after its lease.
    package static let mostUntold = 10_000
    private static let batch = 64
    private static let heartbeat: Int64 = 30_000

    package let client: RedisClient
    private let commands: SharedLimitCommands
    private let untold = Mutex(Deque<LimitSettlement>())
    private let told: @Sendable (String, [BudgetCrossing]) -> Void
    private let dropped: @Sendable () -> Void

    /// - Parameters:
    ///   - store: names the durable store.
    ///   - dropped: an end is given up, as too many wait for Redis.
    ///   - told: thresholds of a tenant's budgets that a settlement passed.
    package convenience init(
        _ client: RedisClient, store: String, dropped: @escaping @Sendable () -> Void = {},
        told: @escaping @Sendable (String, [BudgetCrossing]) -> Void
    ) {
        self.init(client, storeName: { store }, dropped: dropped, told: told)
    }

    /// The same for a durable store whose name is known later, and before the first question.
    init(
        _ client: RedisClient, storeName: @escaping @Sendable () -> String, dropped: @escaping @Sendable () -> Void,
        told: @escaping @Sendable (String, [BudgetCrossing]) -> Void
    ) {
        self.dropped = dropped
        self.client = client
        commands = SharedLimitCommands(store: storeName)
        self.told = told
    }

    package var isReady: Bool { client.isReady }

    /// Ends Redis has not heard of yet.
    package var untoldCount: Int { untold.withLock { $0.count } }

    /// Holds a request against all its rules, after taking `settlements` in: one write.
    /// - Parameter time: microseconds since 1970; nil: Redis' own clock, which no step of a host's clock moves.
    /// - Throws: `RedisFailure`, within `patience`.
    package func ask(
        _ question: LimitQuestion, seeds: [Int: BudgetSeed] = [:], after settlements: [LimitSettlement] = [],
        time: Int64? = nil
    ) async throws(RedisFailure) -> LimitOutcome {
        let batch = settlements.map { commands.settle($0, time) } + [commands.ask(question, seeds, time)]
        let replies = try await run(batch)
        for (settlement, reply) in zip(settlements, replies) { take(settlement, .success([reply])) }
        guard let last = replies.last, let outcome = SharedLimitCommands.outcome(last, question) else {
            throw Self.failure(replies.last)
        }
        return outcome
    }

    /// Ends an admission, and waits for it.
    package func settleNow(_ settlement: LimitSettlement, time: Int64? = nil) async throws(RedisFailure) -> [BudgetCrossing] {
        let replies = try await run([commands.settle(settlement, time)])
        guard let outcome = replies.first.flatMap(SharedLimitCommands.settled) else { throw Self.failure(replies.first) }
        return outcome.crossings
    }

    /// Ends admissions without waiting. What Redis does not hear now it is told when it is back.
    package func settle(_ settlements: [LimitSettlement]) {
        guard !settlements.isEmpty else { return }
        for settlement in settlements {
            client.send([commands.settle(settlement, nil)], within: Self.patience) { [self] in take(settlement, $0) }
        }
    }

    /// Extends what a run of edge holds, without waiting.
    package func renew(_ held: [String: [String]], time: Int64? = nil) {
        for command in renewals(held, time) { client.send([command], within: Self.patience) { _ in } }
    }

    /// The same, and waits for it.
    package func renewNow(_ held: [String: [String]], time: Int64? = nil) async throws(RedisFailure) {
        _ = try await run(renewals(held, time))
    }

    /// Requests and tokens of the subjects count from zero. - Throws: `RedisFailure`.
    package func reset(_ subjects: [LimitSubject]) async throws(RedisFailure) {
        let replies = try await run(subjects.map(commands.reset))
        if let failed = replies.first(where: { $0.errorCode != nil }) { throw Self.failure(failed) }
    }

    /// Says that this suite lives. - Returns: how many do.
    package func beat(_ suite: String) async throws(RedisFailure) -> Int {
        let replies = try await run([commands.beat(suite, milliseconds: Self.heartbeat)])
        guard let count = replies.first?.integer else { throw Self.failure(replies.first) }
        return count
    }

    /// There is a connection again: the functions go first, then what Redis was not told.
    package func returned() {
        client.send([RedisCommand(LimitFunctions.load)], within: .seconds(1)) { _ in }
        retell()
    }

    /// Tells Redis what it did not hear.
    package func retell() {
        let late = untold.withLock { untold in
            defer { untold = [] }
            return Array(untold)
        }
        settle(late)
    }

    private func renewals(_ held: [String: [String]], _ time: Int64?) -> [RedisCommand] {
        held.flatMap { tenant, admissions in
            stride(from: 0, to: admissions.count, by: Self.batch).map { first in
                commands.renew(tenant, admissions[first ..< min(first + Self.batch, admissions.count)], time)
            }
        }
    }

    private func run(_ batch: [RedisCommand]) async throws(RedisFailure) -> [RedisReply] {
        guard !batch.isEmpty else { return [] }
        let replies = try await client.run(batch, within: Self.patience)
        // After a restart, a failover or at the first use it does not know them yet; none of the batch was done then.
        guard replies.contains(where: Self.isUnknown) else { return replies }
        let loaded = try await client.run([RedisCommand(LimitFunctions.load)], within: .seconds(1))
        if let code = loaded.first?.errorCode { throw Self.refusal(code, loaded.first) }
        return try await client.run(batch, within: Self.patience)
    }

    private func take(_ settlement: LimitSettlement, _ result: Result<[RedisReply], RedisFailure>) {
        switch result {
        case .success(let replies):
            guard let reply = replies.first, let outcome = SharedLimitCommands.settled(reply) else {
                return keep(settlement)
            }
            if !outcome.crossings.isEmpty { told(settlement.tenant, outcome.crossings) }
        case .failure(.away), .failure(.busy): keep(settlement)
        case .failure:
            // It may have been done: a charge without a reservation must not be repeated.
            var again = settlement
            again.otherwise = []
            keep(again)
        }
    }

    private func keep(_ settlement: LimitSettlement) {
        let isFull = untold.withLock { untold in
            let isFull = untold.count >= Self.mostUntold
            if isFull { untold.removeFirst() }
            untold.append(settlement)
            return isFull
        }
        if isFull { dropped() }
    }

    private static func isUnknown(_ reply: RedisReply) -> Bool {
        if case .error(let text) = reply { text.contains("Function not found") } else { false }
    }

    private static func failure(_ reply: RedisReply?) -> RedisFailure {
        guard let reply, let code = reply.errorCode else { return .garbled }
        return refusal(code, reply)
    }

    private static func refusal(_ code: String, _ reply: RedisReply?) -> RedisFailure {
        guard case .error(let text) = reply, text.contains("unknown command") else { return .refused(code) }
        return .refused("it does not know FUNCTION: limits need Redis 7 or newer")
    }
}
