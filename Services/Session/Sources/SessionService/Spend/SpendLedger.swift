import BulkheadStore
import Synchronization

/// What requests cost.
package struct Spend: Sendable, Equatable, Codable {
    package var requests = 0
    package var inputTokens = 0
    package var outputTokens = 0
    /// Billionths of a US dollar; requests whose price is not known count as nothing.
    package var costNanousd = 0
    /// Requests that used tokens nobody knows the price of.
    package var unpriced = 0

    /// Nothing spent, or the given amounts.
    package init(
        requests: Int = 0, inputTokens: Int = 0, outputTokens: Int = 0, costNanousd: Int = 0, unpriced: Int = 0
    ) {
        self.requests = requests
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.costNanousd = costNanousd
        self.unpriced = unpriced
    }

    static func += (left: inout Spend, right: Spend) {
        left.requests = adding(left.requests, right.requests)
        left.inputTokens = adding(left.inputTokens, right.inputTokens)
        left.outputTokens = adding(left.outputTokens, right.outputTokens)
        left.costNanousd = adding(left.costNanousd, right.costNanousd)
        left.unpriced = adding(left.unpriced, right.unpriced)
    }

    /// Amounts come from a peer: a wrong one must not trap.
    private static func adding(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(max(0, right))
        return overflow ? .max : sum
    }
}

/// Adds up what keys spend, and writes it behind: what was added since the last flush (a second, in service) is lost when
/// the process is killed. Holds one entry per known key and day, and one per budget that is spent.
package final class SpendLedger: Sendable {
    struct Slot: Hashable, Sendable {
        var keyID: String
        var tenant: String
        /// Days since 1970, UTC.
        var day: Int64
    }

    private struct State {
        var pending: [Slot: Spend] = [:]
        /// Admissions settled lately: a settlement that is reported twice counts once.
        var settled = RecentMap<String, Bool>(capacity: 131_072)
        /// Those with an Idempotency-Key whose end was heard, though it may not be durable yet.
        var heard = RecentMap<String, Bool>(capacity: 131_072)
    }

    /// What budgets were spent.
    package let budgets = BudgetSpend()

    private let state = Mutex(State())

    /// Nothing spent.
    package init() {}

    /// Adds the spend of an admission to its key.
    /// - Returns: false when this admission was added before.
    package func add(_ spend: Spend, admission: String, key: KeyRecord, now: Int64) -> Bool {
        state.withLock { state in
            guard state.settled[admission] == nil else { return false }
            state.settled[admission] = true
            state.pending[Slot(keyID: key.id, tenant: key.tenant, day: Self.day(now)), default: Spend()] += spend
            return true
        }
    }

    /// Whether the end of this admission is heard for the first time.
    func hears(_ admission: String) -> Bool {
        state.withLock { state in
            guard state.heard[admission] == nil else { return false }
            state.heard[admission] = true
            return true
        }
    }

    static func day(_ unixMilliseconds: Int64) -> Int64 { unixMilliseconds / 86_400_000 }

    /// Makes what is pending durable. On failure it stays pending.
    package func flush(_ store: any DurableStore) async throws {
        let batch = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
        let charges = budgets.take()
        guard !batch.isEmpty || !charges.isEmpty else { return }
        do {
            try await store.transact { transaction in
                try Self.write(batch, transaction)
                try BudgetSpend.write(charges, transaction)
            }
            budgets.end(charges, isDurable: true)
        } catch {
            budgets.end(charges, isDurable: false)
            state.withLock { state in
                for (slot, spend) in batch { state.pending[slot, default: Spend()] += spend }
            }
            throw error
        }
    }

    private static let addSpend = Statement(
        "spend.add",
        """
        INSERT INTO spend (key_id, day, tenant, requests, input_tokens, output_tokens, cost_nanousd, unpriced)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (key_id, day) DO UPDATE SET requests = spend.requests + excluded.requests,
            input_tokens = spend.input_tokens + excluded.input_tokens,
            output_tokens = spend.output_tokens + excluded.output_tokens,
            cost_nanousd = spend.cost_nanousd + excluded.cost_nanousd, unpriced = spend.unpriced + excluded.unpriced
        """)

    private static func values(_ slot: Slot, _ spend: Spend) -> [SQLValue] {
        [
            .text(slot.keyID), .integer(slot.day), .text(slot.tenant), .integer(spend.requests), .integer(spend.inputTokens),
            .integer(spend.outputTokens), .integer(spend.costNanousd), .integer(spend.unpriced),
        ]
    }

    /// In one order, so that no two who write wait for each other; budgets come after it.
    static func write(_ amounts: [Slot: Spend], _ store: any StoreTransaction) throws {
        let sorted = amounts.sorted { ($0.key.keyID, $0.key.day) < ($1.key.keyID, $1.key.day) }
        try store.runEach(addSpend, sorted.map(values))
    }
}

/// Totals of the table `spend`.
enum SpendTable {
    private static let sums = """
        CAST(coalesce(sum(requests), 0) AS BIGINT), CAST(coalesce(sum(input_tokens), 0) AS BIGINT),
        CAST(coalesce(sum(output_tokens), 0) AS BIGINT), CAST(coalesce(sum(cost_nanousd), 0) AS BIGINT),
        CAST(coalesce(sum(unpriced), 0) AS BIGINT)
        """
    /// The keys that were rotated one into the other, from the first on.
    private static let ofAccount = "SELECT CAST($1 AS TEXT) UNION SELECT id FROM api_key WHERE account = $1"
    private static let ofKey = Statement("spend.key", "SELECT \(sums) FROM spend WHERE key_id IN (\(ofAccount))")
    private static let ofDay = Statement("spend.day", "SELECT \(sums) FROM spend WHERE day = $2 AND key_id IN (\(ofAccount))")
    private static let ofTenants = Statement("spend.tenants", "SELECT \(sums), tenant FROM spend GROUP BY tenant")

    /// What all keys of an account spent.
    static func total(account: String, _ store: any StoreTransaction) throws -> Spend {
        try store.rows(ofKey, [.text(account)]).first.map(spend) ?? Spend()
    }

    /// What all keys of an account spent on a day.
    static func total(account: String, day: Int64, _ store: any StoreTransaction) throws -> Spend {
        try store.rows(ofDay, [.text(account), .integer(day)]).first.map(spend) ?? Spend()
    }

    private static let lastDay = Statement("spend.last", "SELECT max(day) FROM spend WHERE key_id = $1")
    private static let unpricedOfTenant = Statement(
        "spend.unpriced", "SELECT CAST(coalesce(sum(unpriced), 0) AS BIGINT) FROM spend WHERE tenant = $1 AND day = $2")
    private static let unpricedOfUser = Statement(
        "spend.unpriced.user",
        """
        SELECT CAST(coalesce(sum(unpriced), 0) AS BIGINT) FROM spend WHERE tenant = $1 AND day = $2
            AND key_id IN (SELECT id FROM api_key WHERE tenant = $1 AND user_name = $3)
        """)

    /// The last day on which the key's requests ran, in days since 1970; nil: none was written yet.
    static func lastDay(keyID: String, _ store: any StoreTransaction) throws -> Int64? {
        try store.rows(lastDay, [.text(keyID)]).first?.optionalInteger(0)
    }

    /// Requests of a tenant, or of the keys of one of its users, whose price was not known.
    static func unpriced(tenant: String, user: String?, day: Int64, _ store: any StoreTransaction) throws -> Int {
        let values: [SQLValue] = [.text(tenant), .integer(day)]
        let rows =
            try user.map { try store.rows(unpricedOfUser, values + [.text($0)]) } ?? store.rows(unpricedOfTenant, values)
        return Int(rows.first?.integer(0) ?? 0)
    }

    static func byTenant(_ store: any StoreTransaction) throws -> [String: Spend] {
        Dictionary(try store.rows(ofTenants, []).map { ($0.text(5), spend($0)) }, uniquingKeysWith: { first, _ in first })
    }

    private static func spend(_ row: SQLRow) -> Spend {
        Spend(
            requests: Int(row.integer(0)), inputTokens: Int(row.integer(1)), outputTokens: Int(row.integer(2)),
            costNanousd: Int(row.integer(3)), unpriced: Int(row.integer(4)))
    }
}
