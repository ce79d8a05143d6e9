/// One limit a request is held against.
package struct LimitRule: Sendable, Equatable {
    /// What is limited.
    package enum Kind: Sendable, Equatable {
        /// Requests per minute, by weight.
        case requests
        /// Tokens per minute.
        case tokens
        /// Requests at once.
        case places
        /// Nano-dollars in a fixed window of so many milliseconds, aligned to its own length since 1970.
        case budget(windowMilliseconds: Int64)
        /// Calls that are nearly the same, in so many milliseconds.
        case runaway(LikenessSubject, windowMilliseconds: Int64)
    }

    package var kind: Kind
    package var subject: LimitSubject
    /// The limit: at least 1, but for a budget.
    package var most: Int

    package init(_ kind: Kind, _ subject: LimitSubject, most: Int) {
        self.kind = kind
        self.subject = subject
        self.most = most
    }

    /// The word for what is limited, in `scope-kind`.
    package var word: String {
        switch kind {
        case .requests: "requests"
        case .tokens: "tokens"
        case .places: "concurrency"
        case .budget: "budget"
        case .runaway: "runaway"
        }
    }
}

/// What a request asks of all its limits at once.
package struct LimitQuestion: Sendable {
    /// Beyond this sums are no longer exact in a store that counts in doubles: 2^53.
    package static let mostAmount = 1 << 53
    /// Without word from edge a reservation is held for so long.
    package static let longestLease = Duration.seconds(900)

    package var tenant: String
    /// Names what is reserved.
    package var admission: String
    /// The run of edge that holds it, and must renew it every 30 seconds; 0: nobody, it is held for its whole lease.
    package var run: Int64
    /// What it counts against limits of requests.
    package var weight: Int
    /// Tokens it may cost.
    package var tokens: Int
    /// The part of them that nobody declared: reserved as far as there is something left, and no reason to refuse.
    package var assumed: Int
    /// What it may cost in nano-dollars; 0: not known.
    package var nanousd: Int
    /// When it is abandoned at the latest, in microseconds from now.
    package var lease: Int64
    /// False only looks: nothing is taken, and nothing refused.
    package var counts: Bool
    package var rules: [LimitRule]

    /// A question; amounts out of range are brought into it.
    package init(
        tenant: String, admission: String, rules: [LimitRule], run: Int64 = 0, weight: Int = 1, tokens: Int = 0,
        assumed: Int = 0, nanousd: Int = 0, lease: Duration = LimitQuestion.longestLease, counts: Bool = true
    ) {
        let amount = { (value: Int) in min(max(0, value), Self.mostAmount) }
        self.tenant = tenant
        self.admission = admission
        self.rules = rules
        self.run = run
        self.weight = max(1, amount(weight))
        self.tokens = amount(tokens)
        self.assumed = amount(assumed)
        self.nanousd = amount(nanousd)
        self.lease = min(max(.zero, lease), .seconds(86_400)).nanosecondsClamped / 1000
        self.counts = counts
    }
}

/// How a request stands against one rule: after it was admitted, or before it when it was refused. Times in microseconds.
package struct LimitStanding: Sendable, Equatable {
    package var isAdmitted = true
    /// It weighs more than the limit ever admits.
    package var isNever = false
    package var limit = 0
    package var remaining = 0
    /// Until the limit is whole again, or the next window begins.
    package var reset: Int64 = 0
    /// Until it is worth asking again; 0 when admitted.
    package var retryAfter: Int64 = 0
    /// When the budget's window began, in microseconds since 1970.
    package var start: Int64 = 0
}

/// What became of a question.
package struct LimitAnswer: Sendable, Equatable {
    package var isAdmitted: Bool
    /// As many as rules, in their order.
    package var standings: [LimitStanding]
    /// Budgets of which so much is spent now for the first time.
    package var crossings: [BudgetCrossing] = []
    /// Too much is reserved in this process; no rule says so.
    package var isFull = false
    /// Decided by this process alone, though a store is shared.
    package var isLocal = false
}

/// A budget the fast store does not know: what was spent of it is to be read from the durable one.
package struct BudgetGap: Sendable, Equatable {
    /// Which rule.
    package var rule: Int
    /// When the window began, in microseconds since 1970.
    package var start: Int64
}

/// What was spent of a budget in a window, as the durable store has it.
package struct BudgetSeed: Sendable, Equatable {
    package var start: Int64
    package var spent: Int

    package init(start: Int64, spent: Int) {
        self.start = start
        self.spent = min(max(0, spent), LimitQuestion.mostAmount)
    }
}

/// The word of a fast store.
package enum LimitOutcome: Sendable, Equatable {
    case decided(LimitAnswer)
    /// Nothing was taken: ask again with seeds.
    case unseeded([BudgetGap])
}

/// How an admitted request ended, for its limits.
package struct LimitSettlement: Sendable {
    package var tenant: String
    package var admission: String
    /// Tokens it did cost.
    package var tokens: Int
    /// Nano-dollars it did cost.
    package var nanousd: Int
    /// It ran: counts towards calls that are nearly the same.
    package var ran: Bool
    /// Its holder is gone: places and money are free, tokens stay charged, as they may have been used.
    package var isAbandoned: Bool
    /// Budgets to be charged when the admission is not known any more.
    package var otherwise: [LimitRule]

    package init(
        tenant: String, admission: String, tokens: Int = 0, nanousd: Int = 0, ran: Bool = false, isAbandoned: Bool = false,
        otherwise: [LimitRule] = []
    ) {
        let amount = { (value: Int) in min(max(0, value), LimitQuestion.mostAmount) }
        self.tenant = tenant
        self.admission = admission
        self.tokens = amount(tokens)
        self.nanousd = amount(nanousd)
        self.ran = ran
        self.isAbandoned = isAbandoned
        self.otherwise = otherwise
    }
}
