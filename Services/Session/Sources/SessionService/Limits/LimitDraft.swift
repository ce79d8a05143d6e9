/// What a rule would take, before it is known whether all rules agree.
struct Draft {
    let book: SubjectBook
    let most: Int
    var level = 0.0
    var cost = 0.0
    var standing = LimitStanding()

    init(book: SubjectBook, most: Int) {
        self.book = book
        self.most = most
        standing.limit = most
    }

    /// - Returns: false when it is a budget of which it is not known what was spent.
    mutating func look(
        _ question: LimitQuestion, _ rule: LimitRule, _ seed: BudgetSeed?, _ state: borrowing LocalLimits.State,
        _ share: LimitShare, _ ownSince: Double?, _ now: Double
    ) -> Bool {
        let minute = Rate(most: Double(most), window: Rate.minute)
        switch rule.kind {
        case .requests:
            level = book.requests.level(minute, now)
            cost = Double(min(question.weight, most))
            judge(minute, question.weight > rule.most)
        case .tokens:
            level = book.tokens.meter.level(minute, now)
            cost = book.tokens.cost(Double(question.tokens), Double(question.assumed), minute, level)
            judge(minute)
        case .places:
            level = Double(book.places.count(now))
            standing.isAdmitted = level < Double(most)
            standing.remaining = max(0, most - Int(level))
            standing.retryAfter = standing.isAdmitted ? 0 : 1_000_000
        case .budget(let window):
            standing.limit = rule.most
            return lookAtBudget(question, rule, window, seed, share, ownSince, now)
        case .runaway(let subject, let window):
            let rate = Rate(most: Double(rule.most), window: Double(window) * 1000)
            standing.limit = rule.most
            level = state.likenesses[subject]?.level(rate, now) ?? 0
            cost = 1
            judge(rate)
        }
        return true
    }

    private mutating func judge(_ rate: Rate, _ isNever: Bool = false) {
        standing.isNever = isNever
        standing.isAdmitted = !isNever && (cost == 0 || rate.fits(level + cost))
        standing.remaining = Int(rate.remaining(level))
        standing.reset = Int64(rate.reset(level))
        standing.retryAfter = standing.isAdmitted || isNever ? 0 : Int64(rate.wait(level + cost))
    }

    private mutating func lookAtBudget(
        _ question: LimitQuestion, _ rule: LimitRule, _ window: Int64, _ seed: BudgetSeed?, _ share: LimitShare,
        _ ownSince: Double?, _ now: Double
    ) -> Bool {
        let length = Double(window) * 1000
        let index = book.budget(window)
        book.budgets[index].book.bring(to: now, window: length)
        let start = book.budgets[index].book.start
        standing.start = Int64(start)
        if !book.budgets[index].book.isSeeded {
            if let seed, Double(seed.start) == start {
                book.budgets[index].book.seed(seed.spent, most: rule.most)
            } else if let ownSince, start >= ownSince {
                book.budgets[index].book.seed(0, most: rule.most)
            } else {
                return false
            }
            book.budgets[index].book.rebase(unless: share.epoch == 0)
        }
        let left = book.budgets[index].book.remaining(of: rule.most, suites: share.suites)
        let ledger = book.budgets[index].book.ledger
        // Who takes what is left leaves nothing for a parallel request, so that at most one exceeds the budget.
        standing.isAdmitted = left > 0
        standing.remaining = max(0, left)
        standing.reset = Int64(start + length - now)
        let isOnlyReserved = ledger.open > 0 && ledger.spent < rule.most
        standing.retryAfter = standing.isAdmitted ? 0 : isOnlyReserved ? min(1_000_000, standing.reset) : standing.reset
        return true
    }
}

extension Draft {
    /// Takes what the rule costs. - Returns: what is to be remembered of it until it is settled.
    mutating func take(
        _ question: LimitQuestion, _ rule: LimitRule, _ expires: Double, _ now: Double
    ) -> LocalLimits.Held.Part? {
        let minute = Rate(most: Double(most), window: Rate.minute)
        switch rule.kind {
        case .requests:
            book.requests = RateMeter(spent: level + cost, at: now)
            show(minute)
            return nil
        case .tokens:
            if cost > 0 { book.tokens.meter = RateMeter(spent: level + cost, at: now) }
            show(minute)
            return question.tokens > 0 ? .tokens(book, minute, reserved: cost) : nil
        case .places:
            book.places.take(question.admission, until: expires)
            standing.remaining -= 1
            return .place(book)
        case .budget(let window):
            let index = book.budget(window)
            let amount = min(question.nanousd, standing.remaining)
            book.budgets[index].book.reserve(question.admission, amount, until: expires)
            standing.remaining -= amount
            return .budget(book, rule, window: window, start: Double(standing.start))
        case .runaway(let subject, let window):
            return .likeness(subject, Rate(most: Double(rule.most), window: Double(window) * 1000))
        }
    }

    private mutating func show(_ rate: Rate) {
        standing.remaining = Int(rate.remaining(level + cost))
        standing.reset = Int64(rate.reset(level + cost))
    }
}

extension BudgetBook {
    fileprivate mutating func rebase(unless isShared: Bool) { if !isShared { rebase() } }
}
