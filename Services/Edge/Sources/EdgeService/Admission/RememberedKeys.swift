import BulkheadAPI
import BulkheadCore

// Admission's use of what is remembered of keys.

extension Admission {
    /// Keys remembered.
    var remembered: Int { memory.withLock { $0.count } }

    /// Whether session tells of changes of keys.
    var isWatched: Bool { memory.withLock { $0.isWatched } }

    /// What is remembered of a key, and its budget with the least left, in nano-dollars.
    func entry(keyID: String) -> (entry: KeyMemory.Entry, budget: BudgetMemory.Standing?)? {
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
    func remembered(_ shown: ShownCredential, _ request: AdmissionRequest, assertedUser: String?) -> Caller? {
        guard !request.counts, request.model.isEmpty else { return nil }
        let known = memory.withLock { $0.fresh(shown.digest, route: request.route, token: shown.identity, now: .now()) }
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
        let (answer, holding, told) = memory.withLock { Self.decide(&$0, digest, question, now) }
        guard var told else { return nil }
        if told.assertsUsers { told.user = question.assertedUser ?? "" }
        let limits = CallerLimits(told, endUser: question.endUser, isToken: question.identity != nil)
        switch answer {
        case .unknown: return nil
        case .limited, .overBudget: throw RefusedAtLimit(limits.refusal(told), limits: limits)
        case .expired: throw limits.keyRefused.without(.session)
        case .scopeRefused: throw limits.scopeRefused.without(.session)
        case .spendFrozen: throw CallerLimits.spendFrozen().without(.session)
        case .modelRefused: throw limits.modelRefused.without(.session)
        case .admitted: break
        }
        var caller = Self.caller(told, user: told.user)
        caller.degraded = [ServiceName.session.rawValue]
        guard question.count else { return caller }
        caller.limits = limits
        let tokens = question.estimatedTokens
        caller.heldTokens = HeldBack { [self] used in
            memory.withLock { $0.end(digest, unused: tokens - (used ?? tokens), since: now, now: .now()) }
        }
        if case .held(let hold) = holding {
            caller.hold = HeldBack { [self] cost in memory.withLock { $0.settle(cost, hold) } }
        }
        caller.spender = SpendSubject(
            tenant: caller.tenant, keyID: caller.keyID, user: caller.user, asserted: question.assertedUser,
            end: question.endUser, isToken: question.identity != nil)
        return caller
    }

    /// Decides, holds back what the request may cost, and says how the key stands then.
    private static func decide(
        _ memory: inout KeyMemory, _ digest: KeyDigest, _ question: SessionAPI.AdmitRequest, _ now: MonotonicTime
    ) -> (answer: KeyMemory.Answer, holding: KeyMemory.Holding, told: SessionAPI.AdmitReply?) {
        var answer = memory.admit(
            digest, counts: question.count, route: question.route, model: question.model, token: question.identity,
            weight: question.weight, tokens: question.estimatedTokens, now: now)
        var holding = KeyMemory.Holding.unlimited
        if question.count, case .admitted = answer {
            holding = memory.hold(question.estimatedNanousd, digest, now: now)
            if case .overBudget(let budget) = holding {
                memory.end(digest, unused: question.estimatedTokens, since: now, now: now)
                answer = .overBudget(budget)
            }
        }
        return (answer, holding, memory.told(digest, answer, now: now))
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
            let refusal = limits.overBudget(wait: min(1000, max(1, budget.resetMS - 1)))
            return RefusedAtLimit(reply.limitsLocal ? refusal.without(.session) : refusal, limits: limits)
        }
        return nil
    }

    /// A caller session was not asked about: there is no admission.
    private static func caller(_ verdict: SessionAPI.AdmitReply, user: String) -> Caller {
        Caller(
            keyID: verdict.keyID, tenant: verdict.tenant, user: user, isAdmin: verdict.admin, destinations: verdict.destinations)
    }
}
