// What this process keeps in mind of decisions that the shared store made.

extension LocalLimits {
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
