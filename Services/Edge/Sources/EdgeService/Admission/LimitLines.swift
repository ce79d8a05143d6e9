import BulkheadAPI
import BulkheadCore

/// Whose limit it is.
package enum LimitedSubject: Hashable, Sendable {
    case key(String)
    /// A user of a tenant, as `UserScope` writes it.
    case user(tenant: String, String)
    case tenant(String)
}

/// What a request takes of its limits.
package struct LimitCost: Sendable {
    var weight: Int
    var tokens: Int

    /// - Parameters:
    ///   - weight: what it counts against limits of requests.
    ///   - tokens: as estimated.
    package init(weight: Int, tokens: Int) {
        self.weight = weight
        self.tokens = tokens
    }
}

// States of a line: none → refused first (one request waits until its limit admits it) → others behind it, in the order in which
// they came → each first in turn, asks session, and is admitted or goes on waiting → none. A request is in one line at most.

/// Who waits for a limit, by whose it is: the first of a line asks when it is time, and nobody behind it does, so that no request
/// overtakes an earlier one of the same subject. Knows neither tasks nor clocks.
package struct LimitLines: Sendable {
    /// Names a request.
    package typealias Ticket = UInt64

    /// What a request that found a line is to do.
    package enum Answer: Equatable, Sendable {
        /// There is no line: ask session.
        case free
        case waits
        /// It would be admitted only so much later.
        case tooLong(Duration)
    }

    /// A request that is to be woken at its moment.
    package struct Turn: Equatable, Sendable {
        package let ticket: Ticket
        package let due: MonotonicTime

        /// Wakes `ticket` at `due`.
        package init(ticket: Ticket, due: MonotonicTime) {
            self.ticket = ticket
            self.due = due
        }
    }

    private struct Waiter: Sendable {
        let ticket: Ticket
        let cost: Duration
        /// When it is admitted, as far as one can know.
        var due: MonotonicTime
    }

    private struct Line: Sendable {
        var refusal: LimitRefusal
        var waiters: [Waiter] = []
    }

    private var lines: [LimitedSubject: Line] = [:]
    private var subjects: [Ticket: LimitedSubject] = [:]

    /// Nobody waits.
    package init() {}

    /// Whether nobody waits.
    package var isEmpty: Bool { subjects.isEmpty }

    /// A request that was not asked about yet goes behind those of the first of its subjects that has a line.
    /// - Parameter until: it waits no longer.
    package mutating func follow(
        _ ticket: Ticket, _ candidates: [LimitedSubject], _ cost: LimitCost, now: MonotonicTime, until: MonotonicTime
    ) -> Answer {
        guard let subject = candidates.first(where: { lines[$0]?.refusal.concerns(cost) ?? false }) else { return .free }
        return join(ticket, subject, cost, notBefore: now, now, until)
    }

    /// Session refused a request: it is the first of a line, or goes behind those that wait already.
    /// - Parameter wait: until it may be admitted.
    package mutating func refused(
        _ ticket: Ticket, _ refusal: LimitRefusal, _ cost: LimitCost, wait: Duration, now: MonotonicTime, until: MonotonicTime
    ) -> (answer: Answer, next: Turn?) {
        var next: Turn?
        if let known = subjects[ticket], known != refusal.subject { next = leave(ticket, isAdmitted: false, now: now) }
        let due = now + wait
        guard due <= until else { return (.tooLong(wait), next) }
        lines[refusal.subject, default: Line(refusal: refusal)].refusal = refusal
        guard isFirst(ticket) else { return (join(ticket, refusal.subject, cost, notBefore: due, now, until), next) }
        lines[refusal.subject]?.waiters[0].due = due
        settle(refusal.subject, behind: 0)
        return (.waits, next)
    }

    /// A request goes, because it is admitted or because it waits no longer.
    /// - Returns: who is first now.
    package mutating func leave(_ ticket: Ticket, isAdmitted: Bool, now: MonotonicTime) -> Turn? {
        guard let subject = subjects.removeValue(forKey: ticket), var line = lines.removeValue(forKey: subject),
            let index = line.waiters.firstIndex(where: { $0.ticket == ticket })
        else { return nil }
        let gone = line.waiters.remove(at: index)
        guard let first = line.waiters.first else { return nil }
        // What it would have taken is there for those behind it.
        if !isAdmitted, index < line.waiters.count {
            let before = index > 0 ? line.waiters[index - 1].due : gone.due + (.zero - gone.cost)
            line.waiters[index].due = before + line.waiters[index].cost
        }
        lines[subject] = line
        if !isAdmitted { settle(subject, behind: index) }
        guard index == 0 else { return nil }
        return Turn(ticket: first.ticket, due: max(now, lines[subject]?.waiters.first?.due ?? now))
    }

    /// Whether it is its turn to ask.
    package func isFirst(_ ticket: Ticket) -> Bool {
        subjects[ticket].map { lines[$0]?.waiters.first?.ticket == ticket } ?? false
    }

    /// When the request will be admitted, as far as one can know, and what refused the line it is in.
    package func standing(_ ticket: Ticket) -> (due: MonotonicTime, refusal: LimitRefusal)? {
        guard let line = subjects[ticket].flatMap({ lines[$0] }), let own = line.waiters.first(where: { $0.ticket == ticket })
        else { return nil }
        return (own.due, line.refusal)
    }

    /// The refusal of the first of these subjects that has a line.
    package func refusal(of candidates: [LimitedSubject]) -> LimitRefusal? {
        candidates.lazy.compactMap { lines[$0]?.refusal }.first
    }

    private mutating func join(
        _ ticket: Ticket, _ subject: LimitedSubject, _ cost: LimitCost, notBefore: MonotonicTime, _ now: MonotonicTime,
        _ until: MonotonicTime
    ) -> Answer {
        guard let line = lines[subject] else { return .free }
        let own = line.refusal.time(for: cost)
        let due = line.waiters.last.map { max($0.due + own, notBefore) } ?? notBefore
        guard due <= until else { return .tooLong(due - now) }
        subjects[ticket] = subject
        lines[subject]?.waiters.append(Waiter(ticket: ticket, cost: own, due: due))
        return .waits
    }

    /// Those behind a place follow one after the other.
    private mutating func settle(_ subject: LimitedSubject, behind place: Int) {
        guard let line = lines[subject], place + 1 < line.waiters.count else { return }
        for index in place + 1 ..< line.waiters.count {
            guard let before = lines[subject]?.waiters[index - 1].due else { return }
            lines[subject]?.waiters[index].due = before + line.waiters[index].cost
        }
    }
}
