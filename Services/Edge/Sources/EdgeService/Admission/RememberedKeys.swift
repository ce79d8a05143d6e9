import BulkheadAPI
import BulkheadCore

// Admission's use of what is remembered of keys.

extension Admission {
    /// Keys remembered.
    var remembered: Int { memory.withLock { $0.count } }

    /// Whether session tells of changes of keys.
    var isWatched: Bool { memory.withLock { $0.isWatched } }

    /// What is remembered of a key, and its budget with the least left, in nano-dollars.
    func entry(keyID: String) -> (entry: KeyMemory.Entry, budget: (budget: SessionAPI.Budget, left: Int)?)? {
        memory.withLock { memory in memory.entry(keyID: keyID).map { ($0, memory.tightest($0, .now())) } }
    }

    /// Whose turn a request uses that waits for a place. Its key was not judged yet.
    func flow(_ headers: RequestHeaders) -> RequestFlow {
        guard let key = Self.key(headers) else { return .nobody }
        if let tokens, !key.hasPrefix(TokenDesk.keyPrefix), let bearer = tokens.known(key) { return .tenant(bearer.tenant) }
        let digest = KeyDigest(key: key)
        return memory.withLock { $0.tenant(digest, now: .now()) }.map { .tenant($0) } ?? .key(digest)
    }

    /// Whom a request counts for, by session's last word on its key; nil: nothing is known.
    func owner(_ headers: RequestHeaders) -> KeyOwner? {
        guard mode != .none, let key = Self.key(headers) else { return nil }
        if let tokens, !key.hasPrefix(TokenDesk.keyPrefix) {
            return tokens.known(key).map { KeyOwner(keyID: $0.keyID, tenant: $0.tenant, user: $0.user) }
        }
        return memory.withLock { $0.owner(KeyDigest(key: key), assertedUser: headers[.assertedUser], now: .now()) }
    }

    /// Who asks a question that counts nothing, if session would say the same again; nil: it is to be asked.
    func remembered(_ digest: KeyDigest, _ request: AdmissionRequest, assertedUser: String?) -> Caller? {
        guard !request.counts, request.model.isEmpty else { return nil }
        let known = memory.withLock { $0.fresh(digest, route: request.route, now: .now()) }
        guard case .admitted(let verdict) = known else { return nil }
        return Self.caller(verdict, user: verdict.assertsUsers ? assertedUser ?? "" : verdict.user)
    }

    /// Takes in what a reply says of its key.
    /// - Parameter askedAt: when session was asked.
    func note(
        _ reply: SessionAPI.AdmitReply, _ digest: KeyDigest, _ question: SessionAPI.AdmitRequest, askedAt: MonotonicTime
    ) {
        memory.withLock { memory in
            switch reply.verdict {
            case .admitted, .rateLimited, .budgetExceeded:
                memory.remember(
                    digest, reply, askedAt: askedAt, now: .now(), owed: reporter.owed)
            case .keyRefused: memory.forget(digest)
            case .tenantBlocked: memory.forgetTenant(of: digest)
            case .spendFrozen: memory.freeze(digest, askedAt: askedAt)
            default: break
            }
        }
    }

    /// Who asks, by session's last word, while it is away; nil: nothing is known.
    /// - Throws: what the key is refused with.
    func fromMemory(_ digest: KeyDigest, _ question: SessionAPI.AdmitRequest) throws -> Caller? {
        let now = MonotonicTime.now()
        let answer = memory.withLock {
            $0.admit(
                digest, counts: question.count, route: question.route, model: question.model, weight: question.weight,
                tokens: question.estimatedTokens, now: now)
        }
        switch answer {
        case .unknown: return nil
        case .limited(let wait): throw CallerLimits().refusal(retryAfter: wait)
        case .overBudget(let budget): throw Self.overBudget(budget)
        case .expired: throw Self.keyRefused
        case .scopeRefused: throw CallerLimits.scopeRefused
        case .spendFrozen: throw CallerLimits.spendFrozen()
        case .modelRefused: throw Self.modelRefused
        case .admitted(let verdict):
            var caller = Self.caller(verdict, user: verdict.assertsUsers ? question.assertedUser ?? "" : verdict.user)
            caller.degraded = [ServiceName.session.rawValue]
            guard question.count else { return caller }
            caller.heldTokens = HeldBack(question.estimatedTokens) { [self] unused in
                memory.withLock { $0.end(digest, unused: unused, since: now, now: .now()) }
            }
            caller.hold = try hold(question.estimatedNanousd, digest)
            caller.spender = SpendSubject(
                tenant: caller.tenant, keyID: caller.keyID, user: caller.user, asserted: question.assertedUser,
                end: question.endUser, isToken: question.identity != nil)
            return caller
        }
    }

    private func hold(_ amount: Int, _ digest: KeyDigest) throws -> HeldBack? {
        switch memory.withLock({ $0.hold(amount, digest, now: .now()) }) {
        case .unlimited: return nil
        case .overBudget(let budget): throw Self.overBudget(budget)
        case .held(let hold):
            return HeldBack(amount) { [self] rest in memory.withLock { $0.giveBack(rest, hold) } }
        }
    }

    /// Why a request that session admitted is not to run: its budget was spent while session was away, which it is told of now.
    /// - Parameter estimate: what session may have reserved for the request, in nano-dollars.
    func refusalWhileOwing(_ reply: SessionAPI.AdmitReply, estimate: Int) -> RefusedAtLimit? {
        guard reply.verdict == .admitted, reporter.total.nanousd > 0, let least = reply.budget else { return nil }
        for budget in [least] + reply.otherBudgets {
            let owed = reporter.owed(BudgetOwner(budget, reply))
            guard owed > 0, SpentSum.adding(budget.remaining, max(0, estimate)) <= owed else { continue }
            var limits = CallerLimits(reply)
            limits.budget = budget
            // Session may have heard of it by now, and then it was counted twice here.
            return RefusedAtLimit(limits.overBudget(wait: min(1000, max(1, budget.resetMS - 1))), limits: limits)
        }
        return nil
    }

    private static func overBudget(_ budget: SessionAPI.Budget) -> EdgeError {
        var limits = CallerLimits()
        limits.budget = budget
        return limits.overBudget()
    }

    /// A caller session was not asked about: there is no admission, and no limit that could be told.
    private static func caller(_ verdict: SessionAPI.AdmitReply, user: String) -> Caller {
        Caller(
            keyID: verdict.keyID, tenant: verdict.tenant, user: user, isAdmin: verdict.admin, destinations: verdict.destinations)
    }
}
