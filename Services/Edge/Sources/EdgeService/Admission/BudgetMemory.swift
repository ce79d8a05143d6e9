import BulkheadAPI
import BulkheadCore
import Synchronization

/// Whose money it is.
package enum BudgetOwner: Hashable, Sendable {
    case key(String)
    /// Whoever requests of a key name. Nobody knows what is left of each one's budget: they share what was told last.
    case usersOfKey(String)
    case user(tenant: String, user: String)
    case tenant(String)

    /// Of a request of the key `verdict` is about.
    init(_ budget: SessionAPI.Budget, _ verdict: SessionAPI.AdmitReply) {
        switch budget.scope {
        case "tenant": self = .tenant(verdict.tenant)
        case "user" where !verdict.user.isEmpty: self = .user(tenant: verdict.tenant, user: verdict.user)
        case "user": self = .usersOfKey(verdict.keyID)
        default: self = .key(verdict.keyID)
        }
    }
}

/// What was left of budgets by session's last word, less what was spent on it here since. Bounded: at the bound those told of
/// longest ago are forgotten, and what their keys remember counts anew.
package struct BudgetMemory: Sendable {
    /// Who may have several budgets, of windows of several lengths.
    fileprivate struct Place: Hashable, Sendable {
        let owner: BudgetOwner
        /// Milliseconds.
        let window: Int

        init(_ owner: BudgetOwner, _ budget: SessionAPI.Budget) {
            self.owner = owner
            window = budget.windowMS
        }
    }

    private struct Entry {
        var told: SessionAPI.Budget
        var toldAt: MonotonicTime
        /// Nano-dollars that are neither spent nor held back.
        var left: Int
        /// Nano-dollars held back for requests that run.
        var held = 0
        /// Which of session's words it is from: what was held back on an earlier one is not given back to this one.
        var word: UInt64
    }

    /// What was held back, to be given back.
    package struct Hold: Sendable {
        /// Of each budget what it had, if that was less than the request may cost.
        fileprivate var parts: [(place: Place, word: UInt64, amount: Int)] = []
    }

    /// How a budget stands.
    package struct Standing: Sendable {
        /// As session would tell it now.
        package let budget: SessionAPI.Budget
        /// Nano-dollars that are neither spent nor held back; below zero when requests cost more than they said.
        package let left: Int
        fileprivate let held: Int
        /// How soon a request that runs may give back what it holds, in milliseconds.
        private static let holdWait = 1000

        /// Milliseconds until it may admit again: shorter than its window where requests that run hold the rest.
        package var waitMS: Int {
            SpentSum.adding(left, held) > 0 ? min(Self.holdWait, max(1, budget.resetMS - 1)) : budget.resetMS
        }
    }

    private let capacity: Int
    private var entries: [Place: Entry] = [:]
    private var words: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Notes session's word, which counts for more than what was found out here.
    /// - Parameter owed: what was spent that session does not know of.
    mutating func remember(_ budget: SessionAPI.Budget, of owner: BudgetOwner, owed: Int = 0, now: MonotonicTime) {
        let place = Place(owner, budget)
        if entries.count >= capacity, entries[place] == nil { makeRoom() }
        words += 1
        entries[place] = Entry(told: budget, toldAt: now, left: budget.remaining - owed, word: words)
    }

    /// How it stands now.
    mutating func standing(
        _ budget: SessionAPI.Budget, of owner: BudgetOwner, toldAt: MonotonicTime, now: MonotonicTime
    ) -> Standing {
        let entry = current(budget, owner, toldAt, now)
        var told = entry.told
        told.remaining = max(0, entry.left)
        told.resetMS = max(0, told.resetMS - Int((now - entry.toldAt).milliseconds))
        return Standing(budget: told, left: entry.left, held: entry.held)
    }

    /// Holds `amount` back, or what is left if that is less, as session does. - Returns: false when nothing is left.
    mutating func hold(
        _ amount: Int, _ budget: SessionAPI.Budget, of owner: BudgetOwner, toldAt: MonotonicTime, now: MonotonicTime,
        _ hold: inout Hold
    ) -> Bool {
        var entry = current(budget, owner, toldAt, now)
        guard entry.left > 0 else { return false }
        let amount = min(max(0, amount), entry.left)
        entry.left -= amount
        entry.held += amount
        let place = Place(owner, budget)
        entries[place] = entry
        hold.parts.append((place, entry.word, amount))
        return true
    }

    /// Takes what a request cost from each of its budgets, in place of what was held back of it.
    /// - Parameter cost: nil: nobody knows, what was held back counts as spent.
    mutating func settle(_ cost: Int?, _ hold: Hold) {
        for (place, word, amount) in hold.parts {
            guard var entry = entries[place], entry.word == word else { continue }
            entry.held -= amount
            let (left, overflow) = entry.left.addingReportingOverflow(amount - max(0, cost ?? amount))
            entry.left = overflow ? -entry.told.limit : min(entry.told.limit, left)
            entries[place] = entry
        }
    }

    /// The entry as it is now: a new window has begun when the old one has ended.
    private mutating func current(
        _ budget: SessionAPI.Budget, _ owner: BudgetOwner, _ toldAt: MonotonicTime, _ now: MonotonicTime
    ) -> Entry {
        let place = Place(owner, budget)
        if entries[place] == nil { remember(budget, of: owner, now: toldAt) }
        guard var entry = entries[place] else { preconditionFailure("bug: a budget was remembered and is not there") }
        guard entry.told.resetMS > 0, now - entry.toldAt >= .milliseconds(entry.told.resetMS) else { return entry }
        words += 1
        entry.told.resetMS = entry.told.windowMS
        entry.told.remaining = entry.told.limit
        entry = Entry(told: entry.told, toldAt: now, left: entry.told.limit, word: words)
        entries[place] = entry
        return entry
    }

    private mutating func makeRoom() {
        let oldest = entries.sorted { $0.value.toldAt < $1.value.toldAt }.prefix(max(1, capacity / 10))
        for (place, _) in oldest { entries[place] = nil }
    }
}

/// Money or tokens held back for a request that session does not know of. Given back when the request ends without a word on what
/// it used.
package final class HeldBack: Sendable {
    private let settle: @Sendable (Int?) -> Void
    private let isOpen = Mutex(true)

    /// - Parameter settle: is told what was used, in nano-dollars or tokens, nil when nobody knows; called once.
    package init(settle: @escaping @Sendable (Int?) -> Void) { self.settle = settle }

    deinit { close(0) }

    /// The request is over. - Parameter cost: what it used; nil: nobody knows, what was held back counts as used.
    package func spend(_ cost: Int?) { close(cost.map { max(0, $0) }) }

    private func close(_ used: Int?) {
        let wasOpen = isOpen.withLock { isOpen in
            defer { isOpen = false }
            return isOpen
        }
        if wasOpen { settle(used) }
    }
}
