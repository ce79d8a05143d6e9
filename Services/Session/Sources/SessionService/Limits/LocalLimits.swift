import BulkheadCore
import Synchronization

/// What of each limit this process may give when it decides alone: one part of as many as there are suites.
package struct LimitShare: Sendable, Equatable {
    package var suites: Int
    /// Grows with every time the shared store went away; 0: nothing is divided.
    package var epoch: Int

    package init(suites: Int, epoch: Int) {
        self.suites = max(1, suites)
        self.epoch = epoch
    }

    package static let whole = LimitShare(suites: 1, epoch: 0)

    func part(_ most: Int) -> Int { suites == 1 ? most : max(1, most / suites) }
}

/// Everything counted of one subject. Touched under the lock of `LocalLimits` only.
final class SubjectBook: @unchecked Sendable {
    var requests = RateMeter()
    var tokens = TokenMeter()
    var places = PlaceBook()
    /// A handful: one for each length of window.
    var budgets: [(window: Int64, book: BudgetBook)] = []
    private var epoch = 0

    /// Levels become a share's when this process begins to decide alone.
    func enter(_ share: LimitShare) {
        guard share.epoch != epoch else { return }
        epoch = share.epoch
        guard epoch != 0 else { return }
        requests.spent /= Double(share.suites)
        tokens.meter.spent /= Double(share.suites)
        for index in budgets.indices { budgets[index].book.rebase() }
    }

    func budget(_ window: Int64) -> Int {
        if let known = budgets.firstIndex(where: { $0.window == window }) { return known }
        budgets.append((window, BudgetBook()))
        return budgets.count - 1
    }
}

/// The fast store within the process: answers at once, on the thread that asks. Times are microseconds since 1970.
package final class LocalLimits: Sendable {
    /// Subjects remembered. Beyond it those unused for longest start anew; a limit of the tenant still holds them together, and
    /// budgets are read again from the durable store.
    static let subjects = 200_000
    /// Reservations at once; edge runs fewer requests than that.
    package static let capacity = 131_072
    /// A holder that does not renew loses its places after so many microseconds.
    static let hold = 30_000_000.0
    static let sweepEvery = 5_000_000.0
    /// Runs of edge that are over: their late words end nothing.
    static let formerRuns = 8

    struct State {
        var books = RecentMap<LimitSubject, SubjectBook>(capacity: LocalLimits.subjects)
        var likenesses = RecentMap<LikenessSubject, RateMeter>(capacity: LocalLimits.subjects)
        var held: [String: Held] = [:]
        var run: Int64 = 0
        var former: [Int64] = []
        var sweptAt = 0.0
    }

    /// What an admission holds, until it is settled.
    struct Held: Sendable {
        enum Part: Sendable {
            case tokens(SubjectBook, Rate, reserved: Double)
            case place(SubjectBook)
            case budget(SubjectBook, LimitRule, window: Int64, start: Double)
            case likeness(LikenessSubject, Rate)
        }

        let tenant: String
        let run: Int64
        let estimate: Double
        let until: Double
        /// The shared store knows of it.
        var isShared: Bool
        let parts: [Part]
    }

    let state = Mutex(State())
    /// Budgets whose window began later start from nothing: nobody else spends of them. nil: others do.
    let ownSince: Double?

    /// - Parameter ownSince: when this process began, if nobody shares its durable store; microseconds since 1970.
    package init(ownSince: Double? = nil) { self.ownSince = ownSince }

    /// Subjects held in memory.
    package var subjectCount: Int { state.withLock { $0.books.count } }
    /// Reservations held.
    package var reservationCount: Int { state.withLock { $0.held.count } }

    /// Requests of a subject that run now.
    package func running(_ subject: LimitSubject, now: Double) -> Int {
        state.withLock { $0.books[subject]?.places.count(now) ?? 0 }
    }

    /// How a budget stands; nil: nothing is known of it.
    package func ledger(_ subject: LimitSubject, windowMilliseconds: Int64) -> BudgetLedger? {
        state.withLock { state in
            state.books[subject]?.budgets.first { $0.window == windowMilliseconds && $0.book.isSeeded }?.book.ledger
        }
    }

    /// Holds a request against all its rules, all or nothing.
    /// - Parameter seeds: by rule: what was spent of budgets before.
    package func ask(
        _ question: LimitQuestion, seeds: [Int: BudgetSeed] = [:], now: Double, share: LimitShare = .whole
    ) -> LimitOutcome {
        state.withLock { state in
            sweep(&state, now)
            var gaps: [BudgetGap] = []
            var drafts: [Draft] = []
            drafts.reserveCapacity(question.rules.count)
            for (index, rule) in question.rules.enumerated() {
                let book =
                    drafts.last.flatMap { question.rules[index - 1].subject == rule.subject ? $0.book : nil }
                    ?? state.books.value(of: rule.subject) { SubjectBook() }
                book.enter(share)
                var draft = Draft(book: book, most: share.part(rule.most))
                if !draft.look(question, rule, seeds[index], state, share, ownSince(state), now) {
                    gaps.append(BudgetGap(rule: index, start: draft.standing.start))
                }
                drafts.append(draft)
            }
            guard gaps.isEmpty else { return .unseeded(gaps) }
            return .decided(Self.decide(question, &drafts, &state, now))
        }
    }

    /// Whether it is known what was spent of all budgets among `rules`.
    package func knows(_ rules: [LimitRule], now: Double) -> Bool {
        for rule in rules {
            guard case .budget(let window) = rule.kind else { continue }
            let start = BudgetBook.start(of: Double(window) * 1000, now)
            let isKnown = state.withLock { state in
                if let ownSince = ownSince(state), start >= ownSince { return true }
                return state.books[rule.subject]?.budgets.contains {
                    $0.window == window && $0.book.isSeeded && $0.book.start == start
                } ?? false
            }
            if !isKnown { return false }
        }
        return true
    }

    /// Keeps in mind what the shared store admitted: falling back on this process is no fresh burst then.
    package func shadow(_ question: LimitQuestion, _ answer: LimitAnswer, now: Double) {
        guard question.counts else { return }
        state.withLock { state in
            sweep(&state, now)
            var parts: [Held.Part] = []
            for (rule, standing) in zip(question.rules, answer.standings) {
                let book = state.books.value(of: rule.subject) { SubjectBook() }
                book.enter(.whole)
                if let part = Self.shadow(book, question, rule, standing, isHeld: answer.isAdmitted, now) { parts.append(part) }
            }
            if answer.isAdmitted { Self.hold(question, parts, isShared: true, &state, now) }
        }
    }

    /// The shared store has admitted it too, after this process did.
    package func share(_ admission: String) { state.withLock { $0.held[admission]?.isShared = true } }

    private func ownSince(_ state: borrowing State) -> Double? { state.books.hasForgotten ? nil : ownSince }

    /// Takes out what is overdue; what it held was free already.
    private func sweep(_ state: inout State, _ now: Double) {
        guard now - state.sweptAt >= Self.sweepEvery || now < state.sweptAt else { return }
        state.sweptAt = now
        if state.held.contains(where: { $0.value.until <= now }) { state.held = state.held.filter { $0.value.until > now } }
    }
}

// MARK: parts of a decision

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

extension BudgetBook {
    fileprivate mutating func rebase(unless isShared: Bool) { if !isShared { rebase() } }
}

extension LocalLimits {
    private static func decide(
        _ question: LimitQuestion, _ drafts: inout [Draft], _ state: inout State, _ now: Double
    ) -> LimitAnswer {
        var answer = LimitAnswer(isAdmitted: drafts.allSatisfy(\.standing.isAdmitted), standings: [])
        guard question.counts else {
            answer.isAdmitted = true
            answer.standings = drafts.map { draft in
                var standing = draft.standing
                (standing.isAdmitted, standing.isNever, standing.retryAfter) = (true, false, 0)
                return standing
            }
            return answer
        }
        let isFull = state.held.count >= capacity
        if answer.isAdmitted, !isFull {
            take(question, &drafts, &state, now)
        } else {
            answer.isFull = answer.isAdmitted
            answer.isAdmitted = false
            for (rule, draft) in zip(question.rules, drafts) where !draft.standing.isAdmitted {
                if let crossing = exhaust(rule, draft) { answer.crossings.append(crossing) }
            }
        }
        answer.standings = drafts.map(\.standing)
        return answer
    }

    /// A budget that refuses is spent, whatever is left of it.
    private static func exhaust(_ rule: LimitRule, _ draft: Draft) -> BudgetCrossing? {
        guard case .budget(let window) = rule.kind else { return nil }
        let index = draft.book.budget(window)
        return draft.book.budgets[index].book.cross(to: BudgetBook.thresholds.count).map {
            BudgetCrossing(
                subject: rule.subject.text, windowMilliseconds: window, limit: rule.most, from: $0.from, to: $0.to)
        }
    }

    private static func take(_ question: LimitQuestion, _ drafts: inout [Draft], _ state: inout State, _ now: Double) {
        let until = now + Double(question.lease)
        let expires = question.run == 0 ? until : min(now + hold, until)
        var parts: [Held.Part] = []
        parts.reserveCapacity(drafts.count)
        for (index, rule) in question.rules.enumerated() {
            if let part = drafts[index].take(question, rule, expires, now) { parts.append(part) }
        }
        hold(question, parts, isShared: false, &state, now)
    }

    private static func hold(
        _ question: LimitQuestion, _ parts: [Held.Part], isShared: Bool, _ state: inout State, _ now: Double
    ) {
        guard !parts.isEmpty, state.held.count < capacity else { return }
        state.held[question.admission] = Held(
            tenant: question.tenant, run: question.run, estimate: Double(question.tokens), until: now + Double(question.lease),
            isShared: isShared, parts: parts)
    }

    private static func shadow(
        _ book: SubjectBook, _ question: LimitQuestion, _ rule: LimitRule, _ standing: LimitStanding, isHeld: Bool,
        _ now: Double
    ) -> Held.Part? {
        let until = now + Double(question.lease)
        let expires = question.run == 0 ? until : min(now + hold, until)
        let minute = Rate(most: Double(rule.most), window: Rate.minute)
        switch rule.kind {
        case .requests:
            book.requests = RateMeter(spent: Double(rule.most - standing.remaining), at: now)
            return nil
        case .tokens:
            let before = book.tokens.meter.level(minute, now)
            book.tokens.meter = RateMeter(spent: Double(rule.most - standing.remaining), at: now)
            let reserved = book.tokens.cost(Double(question.tokens), Double(question.assumed), minute, before)
            return question.tokens > 0 ? .tokens(book, minute, reserved: reserved) : nil
        case .places:
            if isHeld { book.places.take(question.admission, until: expires) }
            return .place(book)
        case .budget(let window):
            let index = book.budget(window)
            let start = Double(standing.start)
            let left = standing.remaining + (isHeld ? question.nanousd : 0)
            book.budgets[index].book.shadow(start: start, remaining: left, most: rule.most)
            if isHeld { book.budgets[index].book.reserve(question.admission, question.nanousd, until: expires) }
            return .budget(book, rule, window: window, start: start)
        case .runaway(let subject, let window):
            return .likeness(subject, Rate(most: Double(rule.most), window: Double(window) * 1000))
        }
    }
}

extension Draft {
    /// Takes what the rule costs. - Returns: what is to be remembered of it until it is settled.
    fileprivate mutating func take(
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
