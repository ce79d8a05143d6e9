import BulkheadAPI
import BulkheadCore
import BulkheadResilience

// What is known of a key: fresh (told within a minute, and a watch would have told of a change: questions that count nothing are
// answered from it) → known (15 minutes: what counts while session is away) → forgotten. From fresh to known also when the
// watch breaks; to forgotten at once when session refuses the key, or the watch names it, its tenant (it was blocked) or all (session
// lost count of what changed). A freeze of spending forgets nothing: it is noted with each key it concerns.

/// The last good word of session on each key: for the time session is away, and for questions that count nothing. Bounded in
/// number and age: a key that was not seen lately is not known.
package struct KeyMemory: Sendable {
    /// What is known of one key.
    struct Entry: Sendable {
        /// The admission without what belonged to its request alone.
        fileprivate(set) var verdict: SessionAPI.AdmitReply
        let seenAt: MonotonicTime
        /// The key's limits, continued here while session is away; nil until then.
        var rates: RememberedRates?
        /// The user is that of each request, not of the key.
        var assertsUsers: Bool { verdict.assertsUsers }
        /// Requests served on memory alone since `seenAt`.
        var servedLocally = 0
        /// When the key ends.
        let expires: MonotonicTime

        /// - Parameter askedAt: when session was asked.
        init(verdict: SessionAPI.AdmitReply, askedAt: MonotonicTime, seenAt: MonotonicTime) {
            self.verdict = verdict
            self.seenAt = seenAt
            expires = verdict.expiresInMS > 0 ? min(askedAt, seenAt) + .milliseconds(verdict.expiresInMS) : .never
        }

        /// A token says itself what it covers: the bearer's others may cover more, or less.
        func covers(_ route: String, _ token: SessionAPI.TokenIdentity?) -> Bool {
            KeyScope.covers(token?.scopes ?? verdict.scopes, route: route)
        }

        /// Whether the key, or the token, may use the model.
        func allows(_ model: String, _ token: SessionAPI.TokenIdentity?) -> Bool {
            ModelPattern.covers(token?.models ?? verdict.models, model: model)
        }

        /// All that hold, the one that had the least left first.
        var budgets: [SessionAPI.Budget] { verdict.budget.map { [$0] + verdict.otherBudgets } ?? [] }
    }

    /// What a key that is not verified may do.
    package enum Answer: Sendable, Equatable {
        /// By session's last word.
        case admitted(SessionAPI.AdmitReply)
        /// The key's limit is reached; `.seconds(.max)`: it never admits as much at once.
        case limited(retryAfter: Duration, by: RememberedLimit)
        /// What was left of the budget is spent.
        case overBudget(SessionAPI.Budget)
        /// The key's scopes do not cover the route.
        case scopeRefused
        /// The key may not use the model.
        case modelRefused
        /// The key has expired.
        case expired
        /// Nothing may be spent.
        case spendFrozen
        /// Not seen lately.
        case unknown
    }

    /// How long a word of session counts while it is away.
    package static let age = Duration.seconds(900)
    /// How long it counts for questions that count nothing.
    package static let freshAge = Duration.seconds(60)
    private let capacity: Int
    private var entries: [KeyDigest: Entry] = [:]
    /// The digest of each remembered key by its id, for what is told of keys by id.
    private var digests: [String: KeyDigest] = [:]
    private var budgets: BudgetMemory
    /// Since when session tells of every change; nil while it does not.
    private var watchedSince: MonotonicTime?
    /// When session last told of a change: an admission that was asked for before may be older.
    private var changedAt = MonotonicTime(nanoseconds: 0)
    /// Who may not spend by session's last word; nil: it told nobody's.
    private var freezes: (told: SessionAPI.SpendFreezes, at: MonotonicTime)?

    /// - Parameter capacity: keys remembered; beyond it those seen longest ago are forgotten.
    package init(capacity: Int = 10_000) {
        self.capacity = capacity
        budgets = BudgetMemory(capacity: capacity)
    }

    /// Keys remembered.
    package var count: Int { entries.count }
    /// Whether session tells of changes.
    package var isWatched: Bool { watchedSince != nil }

    /// Notes an admission, or a refusal that says nothing against the key.
    /// - Parameters:
    ///   - askedAt: when session was asked; what it told of since then counts for more.
    ///   - owed: nano-dollars spent of a budget that session does not know of.
    package mutating func remember(
        _ digest: KeyDigest, _ reply: SessionAPI.AdmitReply,
        askedAt: MonotonicTime = .never, now: MonotonicTime, owed: (BudgetOwner) -> Int = { _ in 0 }
    ) {
        guard askedAt > changedAt else { return }
        if entries.count >= capacity, entries[digest] == nil { makeRoom(now: now) }
        var verdict = reply
        verdict.admissionID = ""
        verdict.stored = nil
        if reply.assertsUsers { verdict.user = "" }
        if let isFrozen = isFrozen(verdict.tenant, toldAfter: askedAt) { verdict.spendFrozen = isFrozen }
        let entry = Entry(verdict: verdict, askedAt: askedAt, seenAt: now)
        for budget in entry.budgets {
            let owner = BudgetOwner(budget, verdict)
            budgets.remember(budget, of: owner, owed: owed(owner), now: now)
        }
        let known = entries.updateValue(entry, forKey: digest)
        if known?.verdict.keyID != reply.keyID { digests[reply.keyID] = digest }
    }

    /// Notes that the key may not spend. - Parameter askedAt: when session was asked.
    package mutating func freeze(_ digest: KeyDigest, askedAt: MonotonicTime = .never) {
        guard let entry = entries[digest], isFrozen(entry.verdict.tenant, toldAfter: askedAt) ?? true else { return }
        entries[digest]?.verdict.spendFrozen = true
    }

    /// Whether the tenant's spending is frozen, where session told so since `moment`; nil: it did not.
    private func isFrozen(_ tenant: String, toldAfter moment: MonotonicTime) -> Bool? {
        guard let freezes, moment <= freezes.at else { return nil }
        return freezes.told.everybody || freezes.told.tenants.contains(tenant)
    }

    /// Forgets all keys of the tenant that this one is of: it is blocked.
    package mutating func forgetTenant(of digest: KeyDigest) {
        guard let tenant = entries[digest]?.verdict.tenant else { return }
        forget(tenants: [tenant])
    }

    /// Forgets a key that session refused.
    package mutating func forget(_ digest: KeyDigest) {
        guard let entry = entries.removeValue(forKey: digest) else { return }
        if digests[entry.verdict.keyID] == digest { digests[entry.verdict.keyID] = nil }
    }

    /// Whether the key was seen lately.
    package func knows(_ digest: KeyDigest, now: MonotonicTime) -> Bool { known(digest, now) != nil }

    /// The tenant of a key that was seen lately.
    package func tenant(_ digest: KeyDigest, now: MonotonicTime) -> String? { known(digest, now)?.verdict.tenant }

    /// Whom a request of a key that was seen lately counts for.
    package func owner(_ digest: KeyDigest, assertedUser: String?, now: MonotonicTime) -> KeyOwner? {
        known(digest, now).map {
            KeyOwner(
                keyID: $0.verdict.keyID, tenant: $0.verdict.tenant,
                user: $0.assertsUsers ? assertedUser ?? "" : $0.verdict.user)
        }
    }

    /// Whether a request of the key is to be priced before it is admitted: there is a budget, or nothing is known.
    package func needsPrice(_ digest: KeyDigest, now: MonotonicTime) -> Bool {
        known(digest, now).map { $0.verdict.budget != nil } ?? true
    }

    /// Session's word on a question of the key that counts nothing; nil when it is to be asked.
    /// - Parameter token: of a bearer of tokens what the one says that is shown.
    package func fresh(
        _ digest: KeyDigest, route: String, token: SessionAPI.TokenIdentity? = nil, now: MonotonicTime
    ) -> Answer? {
        guard let watchedSince, let entry = entries[digest], entry.seenAt >= watchedSince, now - entry.seenAt <= Self.freshAge,
            now < entry.expires, entry.covers(route, token)
        else { return nil }
        return .admitted(entry.verdict)
    }

    /// What is known of a key by its id, for the verb `limits`.
    func entry(keyID: String) -> Entry? { digests[keyID].flatMap { entries[$0] } }

    private func known(_ digest: KeyDigest, _ now: MonotonicTime) -> Entry? {
        entries[digest].flatMap { now - $0.seenAt <= Self.age ? $0 : nil }
    }

    private mutating func makeRoom(now: MonotonicTime) {
        for (digest, entry) in entries where now - entry.seenAt > Self.age { forget(digest) }
        guard entries.count >= capacity else { return }
        let oldest = entries.sorted { $0.value.seenAt < $1.value.seenAt }.prefix(max(1, capacity / 10))
        for (digest, _) in oldest { forget(digest) }
    }
}

// What session tells of changes.
extension KeyMemory {
    /// From now on session tells of every change. What was told before may have changed unheard.
    package mutating func watchBegan(now: MonotonicTime) { watchedSince = now }

    /// Session tells of changes no more.
    package mutating func watchEnded() { watchedSince = nil }

    /// Takes in what changed: keys that ended are forgotten; those whose spending was frozen, or is free again, are still known.
    package mutating func take(_ change: SessionAPI.WatchKeysReply, now: MonotonicTime) {
        if let told = change.freezes { take(told, now: now) }
        guard change.all || !change.keyIds.isEmpty || !change.tenants.isEmpty else { return }
        changedAt = now
        if change.all {
            entries.removeAll()
            digests.removeAll()
            return
        }
        for digest in change.keyIds.compactMap({ digests[$0] }) { forget(digest) }
        if !change.tenants.isEmpty { forget(tenants: Set(change.tenants)) }
    }

    private mutating func take(_ told: SessionAPI.SpendFreezes, now: MonotonicTime) {
        freezes = (told, now)
        let tenants = Set(told.tenants)
        for (digest, entry) in entries {
            let isFrozen = told.everybody || tenants.contains(entry.verdict.tenant)
            if entry.verdict.spendFrozen != isFrozen { entries[digest]?.verdict.spendFrozen = isFrozen }
        }
    }

    private mutating func forget(tenants: Set<String>) {
        for (digest, entry) in entries where tenants.contains(entry.verdict.tenant) { forget(digest) }
    }
}

// While session is away.
extension KeyMemory {
    /// Decides for a key without session, in session's order: the key, what it may ask for, what it may spend.
    /// - Parameters:
    ///   - counts: whether the request counts against the key's limits; its end is to be told by `end` then.
    ///   - token: of a bearer of tokens what the one says that is shown.
    ///   - weight: requests it counts for.
    ///   - tokens: it may cost.
    package mutating func admit(
        _ digest: KeyDigest, counts: Bool, route: String = "", model: String = "", token: SessionAPI.TokenIdentity? = nil,
        weight: Int = 1, tokens: Int = 0, now: MonotonicTime
    ) -> Answer {
        guard var entry = known(digest, now) else {
            forget(digest)
            return .unknown
        }
        if now >= entry.expires { return .expired }
        if !entry.covers(route, token) { return .scopeRefused }
        if counts, entry.verdict.spendFrozen { return .spendFrozen }
        if !entry.allows(model, token) { return .modelRefused }
        guard counts else { return .admitted(entry.verdict) }
        if let budget = tightest(entry, now), budget.left <= 0 { return .overBudget(budget.budget) }
        var rates = entry.rates ?? RememberedRates(entry.verdict, seenAt: entry.seenAt)
        let refusal = rates.take(weight: weight, tokens: tokens, now: now)
        entry.rates = rates
        if refusal == nil { entry.servedLocally += 1 }
        entries[digest] = entry
        if let refusal { return .limited(retryAfter: refusal.wait, by: refusal.limit) }
        return .admitted(entry.verdict)
    }

    /// A request that `admit` admitted, and counted, has ended.
    /// - Parameters:
    ///   - unused: tokens that it may have cost and did not; below zero: what it cost beyond them.
    ///   - since: when it was admitted. What session told later knows nothing of it.
    package mutating func end(_ digest: KeyDigest, unused: Int, since: MonotonicTime, now: MonotonicTime) {
        guard var entry = entries[digest], entry.seenAt <= since else { return }
        entry.rates?.end(unused: unused, now: now)
        entries[digest] = entry
    }

    /// Of the key's budgets the one with nothing left that refuses longest, else the one with the least left; nil without any.
    mutating func tightest(_ entry: Entry, _ now: MonotonicTime) -> BudgetMemory.Standing? {
        let standings = standings(entry, now)
        return standings.filter { $0.left <= 0 }.max { $0.waitMS < $1.waitMS } ?? standings.min { $0.left < $1.left }
    }

    /// What session would say of the key now, with what is left here of its limits and budgets; nil: nothing is known.
    /// - Parameter answer: how the request was judged.
    package mutating func told(_ digest: KeyDigest, _ answer: Answer, now: MonotonicTime) -> SessionAPI.AdmitReply? {
        guard let entry = entries[digest] else { return nil }
        var reply = entry.verdict
        (reply.verdict, reply.violated, reply.retryAfterMS) = (.admitted, [], 0)
        // As of limits that session counts by itself.
        reply.limitsLocal = true
        (entry.rates ?? RememberedRates(entry.verdict, seenAt: entry.seenAt)).show(&reply, now: now)
        let budget = tightest(entry, now)
        (reply.budget, reply.otherBudgets) = (budget?.budget, [])
        switch answer {
        case .limited(let wait, let limit): Self.refuse(limit, wait, &reply)
        case .overBudget:
            reply.verdict = .budgetExceeded
            reply.retryAfterMS = budget?.waitMS ?? 0
            reply.violated = standings(entry, now).filter { $0.left <= 0 }.map {
                LimitName.text(LimitName.budget, $0.budget.scope)
            }
        default: break
        }
        return reply
    }

    /// Of what is left, which limit refused.
    private static func refuse(_ limit: RememberedLimit, _ wait: Duration, _ reply: inout SessionAPI.AdmitReply) {
        guard wait < .seconds(Int64.max) else {
            reply.verdict = .costAboveLimit
            reply.reason =
                "the request weighs more than the \(reply.requests?.limit ?? 0) requests per minute that may run"
            return
        }
        reply.verdict = .rateLimited
        // A year is as long as any.
        let milliseconds = Int(min(max(1, wait.milliseconds.rounded(.up)), 31_536_000_000))
        switch limit {
        case .requests: reply.requests?.retryAfterMS = milliseconds
        case .tokens: reply.tokens?.retryAfterMS = milliseconds
        case .concurrency: reply.concurrency?.retryAfterMS = milliseconds
        }
    }

    private mutating func standings(_ entry: Entry, _ now: MonotonicTime) -> [BudgetMemory.Standing] {
        var found: [BudgetMemory.Standing] = []
        for budget in entry.budgets {
            found.append(budgets.standing(budget, of: BudgetOwner(budget, entry.verdict), toldAt: entry.seenAt, now: now))
        }
        return found
    }

    /// What becomes of money a request may cost.
    package enum Holding: Sendable {
        case held(BudgetMemory.Hold)
        /// The key has no budget.
        case unlimited
        case overBudget(SessionAPI.Budget)
    }

    /// Holds back what a request may cost, in nano-dollars, of each of its budgets, or what that has left if it is less; the
    /// request was admitted by `admit`.
    package mutating func hold(_ amount: Int, _ digest: KeyDigest, now: MonotonicTime) -> Holding {
        guard let entry = entries[digest], entry.verdict.budget != nil else { return .unlimited }
        var held = BudgetMemory.Hold()
        for budget in entry.budgets {
            let owner = BudgetOwner(budget, entry.verdict)
            guard budgets.hold(amount, budget, of: owner, toldAt: entry.seenAt, now: now, &held) else {
                budgets.settle(0, held)
                return .overBudget(budgets.standing(budget, of: owner, toldAt: entry.seenAt, now: now).budget)
            }
        }
        return .held(held)
    }

    /// Takes what a request cost, in nano-dollars, in place of what was held back for it; nil: nobody knows.
    package mutating func settle(_ cost: Int?, _ hold: BudgetMemory.Hold) { budgets.settle(cost, hold) }
}
