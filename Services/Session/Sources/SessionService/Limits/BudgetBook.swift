// States of a reservation: open → settled (what it cost is spent, the rest released), or → released (not used, its holder gone,
// or its lease over). A cost beyond it, or after its release, is reserved and settled in one step. So at any time
//     reserved total = settled total + released total + open.

/// What all reservations of a budget add up to, since its window began or this book was opened. Nano-dollars.
package struct BudgetLedger: Sendable, Equatable {
    /// Spent in this window, what was before this book included.
    package var spent = 0
    package var reservedTotal = 0
    package var settledTotal = 0
    package var releasedTotal = 0
    package var open = 0

    package var isBalanced: Bool { reservedTotal == settledTotal + releasedTotal + open }
}

/// A part of a budget is spent for the first time in its window.
package struct BudgetCrossing: Sendable, Equatable {
    package var subject: String
    package var windowMilliseconds: Int64
    /// Nano-dollars.
    package var limit: Int
    /// Of `BudgetBook.thresholds`: how many were told before, and how many are passed now.
    package var from: Int
    package var to: Int
}

/// One budget of one subject in its present window.
struct BudgetBook: Sendable {
    /// Percent of a budget that are told when they are spent.
    static let thresholds = [50, 80, 100]

    /// When the window began; microseconds since 1970.
    private(set) var start = -1.0
    private(set) var isSeeded = false
    private(set) var ledger = BudgetLedger()
    /// How many thresholds were told.
    private(set) var told = 0
    /// What was gone when this process began to decide alone, and its share of the rest.
    private var base = 0
    private var reservations: [String: (amount: Int, expires: Double)] = [:]
    private var earliest = Double.infinity

    /// Spent or reserved.
    var gone: Int { ledger.spent + ledger.open }

    static func start(of window: Double, _ now: Double) -> Double { (now / window).rounded(.down) * window }

    static func passed(_ spent: Int, of most: Int) -> Int {
        let (spent, most) = (Double(spent), Double(most))
        return spent >= most ? 3 : spent * 10 >= most * 8 ? 2 : spent * 2 >= most ? 1 : 0
    }

    /// Begins the present window, and releases what is overdue.
    mutating func bring(to now: Double, window: Double) {
        let present = Self.start(of: window, now)
        if present != start {
            self = BudgetBook()
            start = present
        }
        guard earliest <= now else { return }
        for (admission, one) in reservations where one.expires <= now {
            reservations.removeValue(forKey: admission)
            release(one.amount)
        }
        earliest = reservations.values.map(\.expires).min() ?? .infinity
    }

    /// Takes in what was spent before; told thresholds are not told again.
    mutating func seed(_ spent: Int, most: Int) {
        isSeeded = true
        ledger.spent += spent
        told = max(told, Self.passed(ledger.spent, of: most))
    }

    /// What a process that decides alone, one of `suites`, may still give.
    func remaining(of most: Int, suites: Int) -> Int {
        suites > 1 ? (most - base) / suites - (gone - base) : most - gone
    }

    /// From now on this process decides alone, or no longer.
    mutating func rebase() { base = gone }

    mutating func reserve(_ admission: String, _ amount: Int, until expires: Double) {
        guard amount > 0 else { return }
        reservations[admission] = (amount, expires)
        ledger.reservedTotal += amount
        ledger.open += amount
        earliest = min(earliest, expires)
    }

    mutating func renew(_ admission: String, until expires: Double, _ now: Double) {
        guard let known = reservations[admission], known.expires > now else { return }
        reservations[admission]?.expires = expires
        earliest = min(earliest, expires)
    }

    /// Ends a reservation with what it cost.
    mutating func settle(_ admission: String, cost: Int) {
        if let one = reservations.removeValue(forKey: admission) {
            ledger.open -= one.amount
            ledger.releasedTotal += max(0, one.amount - cost)
            ledger.reservedTotal += max(0, cost - one.amount)
        } else {
            ledger.reservedTotal += cost
        }
        ledger.settledTotal += cost
        ledger.spent += cost
    }

    /// - Returns: thresholds told before and passed now; nil when nothing is new.
    mutating func cross(to passed: Int) -> (from: Int, to: Int)? {
        guard passed > told else { return nil }
        defer { told = passed }
        return (told, passed)
    }

    /// What a shared store said: nothing else is known of what others spend.
    mutating func shadow(start said: Double, remaining: Int, most: Int) {
        if start != said {
            self = BudgetBook()
            start = said
        }
        isSeeded = true
        ledger.spent = max(0, most - remaining - ledger.open)
        told = max(told, Self.passed(ledger.spent, of: most))
    }

    private mutating func release(_ amount: Int) {
        ledger.open -= amount
        ledger.releasedTotal += amount
    }
}
