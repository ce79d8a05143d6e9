import BulkheadAPI
import BulkheadCore

/// For whom money is spent, as far as session wants to know.
package struct SpendSubject: Hashable, Sendable {
    package var tenant: String
    package var keyID: String
    /// Whose budget it is, by session's last word; empty: the key's own.
    package var user: String
    /// As in AdmitRequest.
    package var asserted: String?
    package var end: String?
    /// `keyID` names whoever shows a token: it is of one user.
    package var isToken: Bool

    /// Longer names are not kept: such money counts for the key and the tenant alone.
    static let longestName = 1024

    /// - Parameters:
    ///   - user: the user session said the request is of.
    ///   - asserted: x-bulkhead-user.
    ///   - end: the user the body names.
    package init(
        tenant: String, keyID: String, user: String = "", asserted: String? = nil, end: String? = nil, isToken: Bool = false
    ) {
        let bounded = { (name: String?) in name.flatMap { $0.utf8.count <= Self.longestName ? $0 : nil } }
        self.tenant = tenant
        self.keyID = keyID
        self.user = bounded(user) ?? ""
        self.asserted = bounded(asserted)
        self.end = bounded(end)
        self.isToken = isToken
    }

    /// The same key, for nobody in particular.
    fileprivate var folded: Self { isToken ? self : Self(tenant: tenant, keyID: keyID) }

    /// As session is told it.
    fileprivate var identity: SessionAPI.TokenIdentity? {
        isToken ? SessionAPI.TokenIdentity(keyID: keyID, tenant: tenant, user: user) : nil
    }

    /// The budgets that may be spent.
    fileprivate var owners: [BudgetOwner] {
        let all: [BudgetOwner] = [.key(keyID), .usersOfKey(keyID), .tenant(tenant)]
        return user.isEmpty ? all : all + [.user(tenant: tenant, user: user)]
    }
}

/// What requests came to.
package struct SpentSum: Sendable, Equatable {
    package var requests = 0
    package var inputTokens = 0
    package var outputTokens = 0
    package var nanousd = 0
    /// When the last of them ended, in milliseconds since 1970.
    package var atMS = 0

    /// - Parameter atMS: when it ended.
    package init(requests: Int = 0, inputTokens: Int = 0, outputTokens: Int = 0, nanousd: Int = 0, atMS: Int = 0) {
        self.requests = requests
        self.inputTokens = max(0, inputTokens)
        self.outputTokens = max(0, outputTokens)
        self.nanousd = max(0, nanousd)
        self.atMS = atMS
    }

    static func += (left: inout Self, right: Self) {
        left.requests += right.requests
        left.inputTokens = adding(left.inputTokens, right.inputTokens)
        left.outputTokens = adding(left.outputTokens, right.outputTokens)
        left.nanousd = adding(left.nanousd, right.nanousd)
        left.atMS = max(left.atMS, right.atMS)
    }

    /// Amounts come from a peer: a wrong one must not trap.
    static func adding(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}

// States of what was spent: waiting (is added up) → leaving (in the one report that is under way, under the same name however
// often it is told) → taken in by session, and forgotten.

/// Money session was not told of yet, added up by who spent it and by quarter of an hour. Bounded by the number of sums, not of
/// requests: at the first bound money counts for its key, without its user; at the second it is lost.
package struct SpendBook: Sendable {
    private struct Slot: Hashable {
        var subject: SpendSubject
        /// Of an hour, since 1970: windows of budgets begin with one, most of them.
        var quarter: Int
    }

    /// What session is told at once.
    package struct Report: Sendable {
        package let id: String
        package let entries: [SessionAPI.SpentAway]
    }

    /// Entries of a report.
    package static let reportEntries = 128
    private static let quarter = 900_000

    private let capacity: Int
    private var waiting: [Slot: SpentSum] = [:]
    private var leaving: (id: String, sums: [(Slot, SpentSum)])?
    /// By budget, of both.
    private var owed: [BudgetOwner: Int] = [:]
    /// Of both.
    package private(set) var total = SpentSum()

    /// - Parameter capacity: sums kept by user, and as many more by key.
    package init(capacity: Int = 16_384) { self.capacity = capacity }

    /// Sums that wait or leave.
    package var count: Int { waiting.count + (leaving?.sums.count ?? 0) }

    /// Adds what a request came to. - Returns: false when there is no room: it is lost.
    package mutating func add(_ sum: SpentSum, of subject: SpendSubject) -> Bool {
        var slot = Slot(subject: subject, quarter: sum.atMS / Self.quarter)
        if waiting[slot] == nil, count >= capacity {
            slot.subject = subject.folded
            guard waiting[slot] != nil || count < 2 * capacity else { return false }
        }
        waiting[slot, default: SpentSum()] += sum
        total += sum
        for owner in slot.subject.owners { owed[owner] = SpentSum.adding(owed[owner] ?? 0, sum.nanousd) }
        return true
    }

    /// The report that is under way, or the next one; nil: there is nothing to tell.
    /// - Parameter name: of a new one.
    package mutating func report(_ name: @autoclosure () -> String) -> Report? {
        if leaving == nil {
            guard !waiting.isEmpty else { return nil }
            let sums = waiting.prefix(Self.reportEntries).map { ($0.key, $0.value) }
            for (slot, _) in sums { waiting[slot] = nil }
            leaving = (name(), sums)
        }
        return leaving.map { Report(id: $0.id, entries: $0.sums.map(Self.entry)) }
    }

    /// The report that was under way is: session has it, or will never take it. - Returns: what it came to.
    @discardableResult
    package mutating func end() -> SpentSum {
        var sum = SpentSum()
        for (slot, one) in leaving?.sums ?? [] {
            sum += one
            for owner in slot.subject.owners {
                let left = (owed[owner] ?? 0) - one.nanousd
                owed[owner] = left > 0 ? left : nil
            }
        }
        leaving = nil
        total.requests -= sum.requests
        total.inputTokens -= sum.inputTokens
        total.outputTokens -= sum.outputTokens
        total.nanousd -= sum.nanousd
        if waiting.isEmpty { total = SpentSum() }
        return sum
    }

    /// Nano-dollars spent of a budget that session was not told of.
    func owed(_ owner: BudgetOwner) -> Int { owed.isEmpty ? 0 : owed[owner] ?? 0 }

    private static func entry(_ slot: Slot, _ sum: SpentSum) -> SessionAPI.SpentAway {
        SessionAPI.SpentAway(
            keyID: slot.subject.keyID, assertedUser: slot.subject.asserted, endUser: slot.subject.end, atMS: sum.atMS,
            requests: sum.requests, inputTokens: sum.inputTokens, outputTokens: sum.outputTokens, costNanousd: sum.nanousd,
            identity: slot.subject.identity)
    }
}
