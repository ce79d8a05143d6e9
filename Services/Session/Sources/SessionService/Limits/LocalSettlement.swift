// The ends of what `LocalLimits` holds.

/// Money that was spent of a budget.
package struct BudgetCharge: Sendable, Equatable {
    package var subject: LimitSubject
    package var windowMilliseconds: Int64
    /// When its window began; microseconds since 1970.
    package var start: Int64
    package var nanousd: Int

    /// A charge of its parts.
    package init(subject: LimitSubject, windowMilliseconds: Int64, start: Int64, nanousd: Int) {
        self.subject = subject
        self.windowMilliseconds = windowMilliseconds
        self.start = start
        self.nanousd = nanousd
    }
}

/// What a settlement did.
package struct SettlementOutcome: Sendable {
    /// The admission was held here.
    package var isKnown = false
    /// Whose it was, if it was held.
    package var tenant = ""
    /// The shared store holds it too.
    package var isShared = false
    /// What is to be written behind.
    package var charges: [BudgetCharge] = []
    /// Budgets it was charged to.
    package var budgets: [LimitRule] = []
    package var crossings: [BudgetCrossing] = []
}

extension LocalLimits {
    /// Ends an admission. Reported again it changes nothing, but for budgets to be charged `otherwise`.
    package func settle(_ settlement: LimitSettlement, now: Double) -> SettlementOutcome {
        state.withLock { state in
            var outcome = SettlementOutcome()
            guard let held = state.held.removeValue(forKey: settlement.admission), held.until > now else {
                for rule in settlement.otherwise { Self.charge(rule, settlement.nanousd, &outcome, &state, now) }
                return outcome
            }
            outcome.isKnown = true
            outcome.isShared = held.isShared
            outcome.tenant = held.tenant
            for part in held.parts { Self.settle(part, held, settlement, &outcome, &state, now) }
            return outcome
        }
    }

    /// Takes back what an admission took that the shared store refused.
    package func cancel(_ question: LimitQuestion, now: Double) {
        _ = settle(LimitSettlement(tenant: question.tenant, admission: question.admission), now: now)
        state.withLock { state in
            for rule in question.rules where rule.kind == .requests {
                guard let book = state.books[rule.subject] else { continue }
                book.requests.spent = max(0, book.requests.spent - Double(question.weight))
            }
        }
    }

    /// A run of edge was heard. The first word of a new one frees what earlier ones left: there is one edge at a time.
    /// - Returns: what was freed that the shared store holds too.
    package func hear(_ run: Int64, now: Double) -> [LimitSettlement] {
        guard run != 0 else { return [] }
        let abandoned: [(String, Held)] = state.withLock { state in
            guard run != state.run, !state.former.contains(run) else { return [] }
            if state.run != 0 { state.former.append(state.run) }
            if state.former.count > Self.formerRuns { state.former.removeFirst() }
            state.run = run
            return state.held.filter { $0.value.run != run }.map { ($0.key, $0.value) }
        }
        var shared: [LimitSettlement] = []
        for (admission, held) in abandoned {
            let settlement = LimitSettlement(tenant: held.tenant, admission: admission, isAbandoned: true)
            _ = settle(settlement, now: now)
            if held.isShared { shared.append(settlement) }
        }
        return shared
    }

    /// A run of edge lives: what it holds is held on.
    /// - Returns: its admissions that the shared store holds too, by tenant.
    package func renew(_ run: Int64, now: Double) -> [String: [String]] {
        state.withLock { state in
            var shared: [String: [String]] = [:]
            for (admission, held) in state.held where held.run == run && run != 0 && held.until > now {
                if held.isShared { shared[held.tenant, default: []].append(admission) }
                for part in held.parts { Self.renew(part, admission, until: min(now + Self.hold, held.until), now) }
            }
            return shared
        }
    }

    private static func renew(_ part: Held.Part, _ admission: String, until expires: Double, _ now: Double) {
        switch part {
        case .place(let book): book.places.renew(admission, until: expires, now)
        case .budget(let book, _, let window, _):
            let index = book.budget(window)
            book.budgets[index].book.renew(admission, until: expires, now)
        case .tokens, .likeness: break
        }
    }

    private static func settle(
        _ part: Held.Part, _ held: Held, _ settlement: LimitSettlement, _ outcome: inout SettlementOutcome,
        _ state: inout State, _ now: Double
    ) {
        switch part {
        case .tokens(let book, let rate, let reserved):
            guard !settlement.isAbandoned else { return }
            book.tokens.settle(used: Double(settlement.tokens), reserved: reserved, estimate: held.estimate, rate, now)
        case .place(let book): book.places.free(settlement.admission)
        case .budget(let book, let rule, let window, let start):
            let cost = settlement.isAbandoned ? 0 : settlement.nanousd
            if cost > 0 {
                outcome.charges.append(
                    BudgetCharge(subject: rule.subject, windowMilliseconds: window, start: Int64(start), nanousd: cost))
                outcome.budgets.append(rule)
            }
            let index = book.budget(window)
            guard book.budgets[index].book.start == start else { return }
            book.budgets[index].book.settle(settlement.admission, cost: cost)
            tell(book, index, rule, window, &outcome)
        case .likeness(let subject, let rate):
            guard settlement.ran, !settlement.isAbandoned else { return }
            let level = state.likenesses[subject]?.level(rate, now) ?? 0
            state.likenesses[subject] = RateMeter(spent: rate.tripped(level + 1), at: now)
        }
    }

    private static func tell(
        _ book: SubjectBook, _ index: Int, _ rule: LimitRule, _ window: Int64, _ outcome: inout SettlementOutcome
    ) {
        let passed = BudgetBook.passed(book.budgets[index].book.ledger.spent, of: rule.most)
        guard let (from, to) = book.budgets[index].book.cross(to: passed) else { return }
        outcome.crossings.append(
            BudgetCrossing(subject: rule.subject.text, windowMilliseconds: window, limit: rule.most, from: from, to: to))
    }

    /// Charges a budget for an admission that nobody knows any more.
    private static func charge(
        _ rule: LimitRule, _ cost: Int, _ outcome: inout SettlementOutcome, _ state: inout State, _ now: Double
    ) {
        guard cost > 0, case .budget(let window) = rule.kind else { return }
        let start = BudgetBook.start(of: Double(window) * 1000, now)
        outcome.charges.append(
            BudgetCharge(subject: rule.subject, windowMilliseconds: window, start: Int64(start), nanousd: cost))
        guard let book = state.books[rule.subject] else { return }
        let index = book.budget(window)
        // What is not seeded yet is read from the durable store, with this.
        guard book.budgets[index].book.start == start, book.budgets[index].book.isSeeded else { return }
        book.budgets[index].book.settle("", cost: cost)
        tell(book, index, rule, window, &outcome)
    }
}
