// What becomes of a question, once all its rules were looked at.

extension LocalLimits {
    static func decide(
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

    static func hold(
        _ question: LimitQuestion, _ parts: [Held.Part], isShared: Bool, _ state: inout State, _ now: Double
    ) {
        guard !parts.isEmpty, state.held.count < capacity else { return }
        state.held[question.admission] = Held(
            tenant: question.tenant, run: question.run, estimate: Double(question.tokens), until: now + Double(question.lease),
            isShared: isShared, parts: parts)
    }
}
