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

        func covers(_ route: String) -> Bool { KeyScope.covers(verdict.scopes, route: route) }

        /// All that hold, the one that had the least left first.
        var budgets: [SessionAPI.Budget] { verdict.budget.map { [$0] + verdict.otherBudgets } ?? [] }
    }

    /// What a key that is not verified may do.
    package enum Answer: Sendable, Equatable {
        /// By session's last word.
        case admitted(SessionAPI.AdmitReply)
        /// The key's limit is reached.
        case limited(retryAfter: Duration)
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
    package func fresh(_ digest: KeyDigest, route: String, now: MonotonicTime) -> Answer? {
        guard let watchedSince, let entry = entries[digest], entry.seenAt >= watchedSince, now - entry.seenAt <= Self.freshAge,
            now < entry.expires, entry.covers(route)
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
    ///   - weight: requests it counts for.
    ///   - tokens: it may cost.
    package mutating func admit(
        _ digest: KeyDigest, counts: Bool, route: String = "", model: String = "", weight: Int = 1, tokens: Int = 0,
        now: MonotonicTime
    ) -> Answer {
        guard var entry = known(digest, now) else {
            forget(digest)
            return .unknown
        }
        if now >= entry.expires { return .expired }
        if !entry.covers(route) { return .scopeRefused }
        if counts, entry.verdict.spendFrozen { return .spendFrozen }
        if !ModelPattern.covers(entry.verdict.models, model: model) { return .modelRefused }
        guard counts else { return .admitted(entry.verdict) }
        if let (budget, left) = tightest(entry, now), left <= 0 { return .overBudget(Self.spent(budget, entry.seenAt, now)) }
        var rates = entry.rates ?? RememberedRates(entry.verdict, seenAt: entry.seenAt)
        let wait = rates.take(weight: weight, tokens: tokens, now: now)
        entry.rates = rates
        if wait == nil { entry.servedLocally += 1 }
        entries[digest] = entry
        if let wait { return .limited(retryAfter: wait) }
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

    /// The key's budget with the least left, and what that is, in nano-dollars; nil without one.
    mutating func tightest(_ entry: Entry, _ now: MonotonicTime) -> (budget: SessionAPI.Budget, left: Int)? {
        var least: (budget: SessionAPI.Budget, left: Int)?
        for budget in entry.budgets {
            let left = budgets.left(budget, of: BudgetOwner(budget, entry.verdict), toldAt: entry.seenAt, now: now)
            if left < least?.left ?? .max { least = (budget, left) }
        }
        return least
    }

    /// What becomes of money a request may cost.
    package enum Holding: Sendable {
        case held(BudgetMemory.Hold)
        /// The key has no budget.
        case unlimited
        case overBudget(SessionAPI.Budget)
    }

    /// Holds back what a request may cost, in nano-dollars, of all its budgets; the request was admitted by `admit`.
    package mutating func hold(_ amount: Int, _ digest: KeyDigest, now: MonotonicTime) -> Holding {
        guard let entry = entries[digest], entry.verdict.budget != nil else { return .unlimited }
        var held = BudgetMemory.Hold()
        for budget in entry.budgets {
            let owner = BudgetOwner(budget, entry.verdict)
            guard budgets.hold(amount, budget, of: owner, toldAt: entry.seenAt, now: now, &held) else {
                budgets.giveBack(amount, held)
                return .overBudget(Self.spent(budget, entry.seenAt, now))
            }
        }
        return .held(held)
    }

    /// Gives back what was not spent.
    package mutating func giveBack(_ amount: Int, _ hold: BudgetMemory.Hold) { budgets.giveBack(amount, hold) }

    /// The budget as it is told to who finds it spent.
    private static func spent(_ budget: SessionAPI.Budget, _ seenAt: MonotonicTime, _ now: MonotonicTime) -> SessionAPI.Budget {
        var spent = budget
        spent.remaining = 0
        spent.resetMS = max(0, budget.resetMS - Int((now - seenAt).milliseconds))
        return spent
    }
}
