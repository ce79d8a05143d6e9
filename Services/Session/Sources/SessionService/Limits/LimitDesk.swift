import BulkheadCore
import BulkheadRedis
import BulkheadStore
import Synchronization

// States, with a shared store: shared (Redis decides; this process keeps in mind what it said) → alone (Redis did not answer:
// this process decides, on its share of every limit) → returning (Redis answers again: for a minute both must agree, as Redis
// does not know what was admitted meanwhile) → shared. Without a shared store this process decides on the whole limits.

/// Where every admission's limits are decided: by this process, or by Redis and then within its time or by this process.
package final class LimitDesk: Sendable {
    private enum Mode {
        case shared
        case alone(LimitShare)
        case returning(LimitShare, until: MonotonicTime)
    }

    private struct State {
        var mode = Mode.shared
        var epoch = 0
        /// Suites that lived when Redis was heard last, this one included.
        var suites = 1
        /// Not before then is Redis asked again, after it did not answer.
        var pauseUntil = MonotonicTime(nanoseconds: 0)
        /// Questions that Redis is asked now, and whether their end was heard meanwhile.
        var asking: [String: LimitSettlement?] = [:]
    }

    package let local: LocalLimits
    package let alerts: BudgetAlerts
    private let shared: SharedLimits?
    private let spend: SpendLedger
    private let store: any DurableStore
    private let clock: LimitClock
    private let isAway: @Sendable (RedisFailure?, Int) -> Void
    private let state = Mutex(State())

    /// How long both must agree after a return: a window of the rates.
    static let probation = Duration.seconds(60)
    /// A Redis that did not answer is left alone for so long: only one caller in it waits in vain.
    static let pause = Duration.milliseconds(500)
    /// A window that ends between reading and asking is read again so often.
    private static let mostReads = 3

    /// - Parameters:
    ///   - shared: nil: limits are this process' own.
    ///   - isAway: the shared store went away (why, and how many suites share the limits), or is back (nil).
    package init(
        local: LocalLimits, shared: SharedLimits? = nil, alerts: BudgetAlerts = BudgetAlerts(), spend: SpendLedger,
        store: any DurableStore, clock: LimitClock, isAway: @escaping @Sendable (RedisFailure?, Int) -> Void = { _, _ in }
    ) {
        self.local = local
        self.shared = shared
        self.alerts = alerts
        self.spend = spend
        self.store = store
        self.clock = clock
        self.isAway = isAway
    }

    /// Questions are answered at once, most of the time.
    var isLocal: Bool { shared == nil }

    /// Whether this process knows what was spent of all budgets that are asked.
    func knows(_ question: LimitQuestion, now: Moment) -> Bool {
        local.knows(question.rules, now: clock.microseconds(now))
    }

    /// The answer, if this process decides alone and knows all budgets; nil: `ask` is to be asked.
    func askNow(_ question: LimitQuestion, now: Moment) -> LimitAnswer? {
        guard shared == nil else { return nil }
        let time = clock.microseconds(now)
        _ = local.hear(question.run, now: time)
        guard case .decided(let answer) = local.ask(question, now: time) else { return nil }
        alerts.tell(question.tenant, answer.crossings, at: now.unixMilliseconds)
        return answer
    }

    /// - Parameter deadline: the caller's.
    /// - Throws: what `DurableStore.transact` throws, for a budget of which nothing is known yet.
    package func ask(_ question: LimitQuestion, now: Moment, deadline: MonotonicTime = .never) async throws -> LimitAnswer {
        let time = clock.microseconds(now)
        let freed = local.hear(question.run, now: time)
        guard let shared else { return try await askLocal(question, .whole, now, deadline) }
        guard let share = share(now) else { return try await askFirst(shared, question, freed, now, deadline) }
        var alone = try await askLocal(question, share, now, deadline)
        alone.isLocal = true
        guard alone.isAdmitted, shared.isReady, mayAsk(now) else { return alone }
        guard let answer = try await askShared(shared, question, freed, now, deadline) else { return alone }
        noteReturn(now)
        if answer.isAdmitted { local.share(question.admission) } else { local.cancel(question, now: time) }
        return answer
    }

    /// Ends an admission.
    /// - Parameter otherwise: budgets to be charged if nobody knows the admission any more.
    package func settle(_ settlement: LimitSettlement, now: Moment, otherwise: () -> [LimitRule] = { [] }) {
        let time = clock.microseconds(now)
        var settlement = settlement
        var outcome = local.settle(settlement, now: time)
        if !outcome.isKnown, settlement.nanousd > 0 {
            settlement.otherwise = otherwise()
            outcome = local.settle(settlement, now: time)
        } else if outcome.isKnown {
            settlement.tenant = outcome.tenant
            if !outcome.isShared { settlement.otherwise = outcome.budgets }
        }
        spend.budgets.add(outcome.charges)
        guard let shared else {
            return alerts.tell(settlement.tenant, outcome.crossings, at: now.unixMilliseconds)
        }
        if !outcome.isKnown { noteEarly(settlement) }
        shared.settle([settlement])
    }

    /// Takes back what was reserved for an admission that does not run.
    func release(_ tenant: String, _ admission: String, now: Moment) {
        settle(LimitSettlement(tenant: tenant, admission: admission), now: now)
    }

    /// Requests and tokens of the subjects count from zero, here and in the shared store.
    /// - Returns: whether all of it was reached: false when the shared store does not answer.
    func reset(_ subjects: [LimitSubject]) async -> Bool {
        local.reset(subjects)
        guard let shared else { return true }
        do {
            try await shared.reset(subjects)
            return true
        } catch {
            return false
        }
    }

    /// Ends the shared store has not heard of yet.
    var pendingEnds: Int { shared?.untoldCount ?? 0 }

    /// Has what was spent of budgets read, unless it is known.
    /// - Throws: what `DurableStore.transact` throws.
    func learn(_ tenant: String, _ budgets: [LimitRule], now: Moment) async throws {
        _ = try await ask(LimitQuestion(tenant: tenant, admission: "", rules: budgets, counts: false), now: now)
    }

    /// What money that was spent `age` milliseconds ago is to be charged to.
    func charges(_ nanousd: Int, _ budgets: [LimitRule], ago age: Int64, now: Moment) -> [BudgetCharge] {
        let time = clock.microseconds(now) - Double(age) * 1000
        return budgets.compactMap { rule in
            guard nanousd > 0, case .budget(let window) = rule.kind else { return nil }
            let start = Int64(BudgetBook.start(of: Double(window) * 1000, time))
            return BudgetCharge(subject: rule.subject, windowMilliseconds: window, start: start, nanousd: nanousd)
        }
    }

    /// Charges budgets, as far as their windows last, for what is durable already.
    /// - Parameter charges: as many as `budgets`, in their order.
    func charge(_ tenant: String, _ name: String, _ charges: [BudgetCharge], _ budgets: [LimitRule], now: Moment) {
        let present = self.charges(1, budgets, ago: 0, now: now)
        let rules = zip(budgets, zip(charges, present)).compactMap { rule, pair in
            pair.0.start == pair.1.start ? rule : nil
        }
        guard !rules.isEmpty, let amount = charges.first?.nanousd else { return }
        let settlement = LimitSettlement(tenant: tenant, admission: name, nanousd: amount, otherwise: rules)
        let outcome = local.settle(settlement, now: clock.microseconds(now))
        guard let shared else { return alerts.tell(tenant, outcome.crossings, at: now.unixMilliseconds) }
        shared.settle([settlement])
    }

    /// A run of edge lives: what it holds is held for another 30 seconds.
    package func renew(_ run: Int64, now: Moment) {
        let held = local.renew(run, now: clock.microseconds(now))
        shared?.renew(held)
    }

    /// Tells Redis that this suite lives, and hears how many do. Called every few seconds.
    /// - Returns: whether Redis heard it.
    @discardableResult
    package func beat(_ suite: String, now: Moment) async -> Bool {
        guard let shared, shared.isReady else { return false }
        shared.retell()
        do {
            let suites = try await shared.beat(suite)
            state.withLock { $0.suites = max(1, suites) }
            noteReturn(now)
            return true
        } catch {
            noteAway(error, now)
            return false
        }
    }
}

// MARK: with a shared store

extension LimitDesk {
    private func share(_ now: Moment) -> LimitShare? {
        state.withLock { state in
            switch state.mode {
            case .shared: return nil
            case .alone(let share): return share
            case .returning(let share, let until):
                if now.monotonic < until { return share }
                state.mode = .shared
                return nil
            }
        }
    }

    private func askFirst(
        _ shared: SharedLimits, _ question: LimitQuestion, _ freed: [LimitSettlement], _ now: Moment, _ deadline: MonotonicTime
    ) async throws -> LimitAnswer {
        state.withLock { $0.asking[question.admission] = .some(nil) }
        let answer: LimitAnswer?
        do {
            answer = try await askShared(shared, question, freed, now, deadline)
        } catch {
            _ = end(asking: question)
            throw error
        }
        let early = end(asking: question)
        guard let answer else {
            var alone = try await askLocal(question, share(now) ?? .whole, now, deadline)
            alone.isLocal = true
            return alone
        }
        if var early {
            early.otherwise = []
            shared.settle([early])
        } else {
            local.shadow(question, answer, now: clock.microseconds(now))
        }
        return answer
    }

    /// - Returns: nil when Redis does not answer.
    private func askShared(
        _ shared: SharedLimits, _ question: LimitQuestion, _ freed: [LimitSettlement], _ now: Moment, _ deadline: MonotonicTime
    ) async throws -> LimitAnswer? {
        var seeds: [Int: BudgetSeed] = [:]
        var freed = freed
        for _ in 0 ..< Self.mostReads {
            let outcome: LimitOutcome
            do {
                outcome = try await shared.ask(question, seeds: seeds, after: freed)
            } catch {
                shared.settle(freed)
                noteAway(error, now)
                return nil
            }
            freed = []
            switch outcome {
            case .decided(let answer):
                alerts.tell(question.tenant, answer.crossings, at: now.unixMilliseconds)
                return answer
            case .unseeded(let gaps): seeds = try await read(gaps, question, deadline)
            }
        }
        noteAway(.garbled, now)
        return nil
    }

    private func end(asking question: LimitQuestion) -> LimitSettlement? {
        state.withLock { $0.asking.removeValue(forKey: question.admission) ?? nil }
    }

    private func noteEarly(_ settlement: LimitSettlement) {
        state.withLock { state in
            if state.asking.keys.contains(settlement.admission) { state.asking[settlement.admission] = .some(settlement) }
        }
    }

    private func mayAsk(_ now: Moment) -> Bool { state.withLock { now.monotonic >= $0.pauseUntil } }

    private func noteAway(_ failure: RedisFailure, _ now: Moment) {
        let suites: Int? = state.withLock { state in
            state.pauseUntil = now.monotonic + Self.pause
            switch state.mode {
            case .alone: return nil
            case .returning(let share, _):
                // More suites may have come since.
                state.mode = .alone(LimitShare(suites: max(share.suites, state.suites), epoch: share.epoch))
            case .shared:
                state.epoch += 1
                state.mode = .alone(LimitShare(suites: state.suites, epoch: state.epoch))
            }
            return state.suites
        }
        if let suites { isAway(failure, suites) }
    }

    private func noteReturn(_ now: Moment) {
        let isBack = state.withLock { state in
            guard case .alone(let share) = state.mode else { return false }
            state.mode = .returning(share, until: now.monotonic + Self.probation)
            return true
        }
        if isBack { isAway(nil, 0) }
    }
}

// MARK: by this process

extension LimitDesk {
    private func askLocal(
        _ question: LimitQuestion, _ share: LimitShare, _ now: Moment, _ deadline: MonotonicTime
    ) async throws -> LimitAnswer {
        let time = clock.microseconds(now)
        var seeds: [Int: BudgetSeed] = [:]
        for _ in 0 ..< Self.mostReads {
            switch local.ask(question, seeds: seeds, now: time, share: share) {
            case .decided(let answer):
                alerts.tell(question.tenant, answer.crossings, at: now.unixMilliseconds)
                return answer
            case .unseeded(let gaps): seeds = try await read(gaps, question, deadline)
            }
        }
        throw CallError(.unavailable, reason: "store_unavailable", message: "the budgets of \(question.tenant) cannot be read")
    }

    private func read(
        _ gaps: [BudgetGap], _ question: LimitQuestion, _ deadline: MonotonicTime
    ) async throws -> [Int: BudgetSeed] {
        var seeds: [Int: BudgetSeed] = [:]
        for gap in gaps {
            let rule = question.rules[gap.rule]
            guard case .budget(let window) = rule.kind else { continue }
            let spent = try await spend.budgets.spent(
                rule.subject, windowMilliseconds: window, start: gap.start, store, deadline: deadline)
            seeds[gap.rule] = BudgetSeed(start: gap.start, spent: spent)
        }
        return seeds
    }
}
