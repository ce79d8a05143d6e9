import BulkheadCore
import Synchronization

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

    /// Requests and tokens of the subjects count from zero; places and money stay.
    package func reset(_ subjects: [LimitSubject]) {
        state.withLock { state in
            for subject in subjects {
                guard let book = state.books[subject] else { continue }
                (book.requests, book.tokens) = (RateMeter(), TokenMeter())
            }
        }
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

    private func ownSince(_ state: borrowing State) -> Double? { state.books.hasForgotten ? nil : ownSince }

    /// Takes out what is overdue; what it held was free already.
    func sweep(_ state: inout State, _ now: Double) {
        guard now - state.sweptAt >= Self.sweepEvery || now < state.sweptAt else { return }
        state.sweptAt = now
        if state.held.contains(where: { $0.value.until <= now }) { state.held = state.held.filter { $0.value.until > now } }
    }
}
