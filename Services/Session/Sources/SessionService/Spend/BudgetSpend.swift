import BulkheadCore
import BulkheadStore
import Synchronization

/// What was spent of budgets, written behind in steps: several suites add to one row of a store they share. Pending amounts are
/// bounded by the budgets spent of between two flushes.
package final class BudgetSpend: Sendable {
    struct Slot: Hashable, Sendable {
        var tenant: String
        var subject: String
        /// Milliseconds since 1970.
        var start: Int64
        var end: Int64
    }

    private struct State {
        var pending: [Slot: Int] = [:]
        /// What is being written.
        var leaving: [Slot: Int] = [:]
        /// Grows with every write that ended.
        var writes = 0
    }

    private let state = Mutex(State())
    /// A read that a write crosses is done again so often.
    private static let mostReads = 5
    /// How long what was spent of a past window is kept, in milliseconds.
    private static let retention: Int64 = 90 * 86_400_000

    private static let add = Statement(
        "budget.add",
        """
        INSERT INTO budget_spend (tenant, subject, window_start, window_end, spent_nanousd) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, subject, window_start, window_end)
        DO UPDATE SET spent_nanousd = budget_spend.spent_nanousd + excluded.spent_nanousd
        """)
    private static let read = Statement(
        "budget.read",
        """
        SELECT spent_nanousd FROM budget_spend
        WHERE tenant = $1 AND subject = $2 AND window_start = $3 AND window_end = $4
        """)
    private static let forget = Statement("budget.forget", "DELETE FROM budget_spend WHERE window_end < $1")

    package init() {}

    /// Adds what was spent.
    package func add(_ charges: [BudgetCharge]) {
        guard !charges.isEmpty else { return }
        state.withLock { state in
            for charge in charges {
                state.pending[Self.slot(charge.subject, charge.windowMilliseconds, charge.start), default: 0] += charge.nanousd
            }
        }
    }

    /// What was spent of a budget in the window that began at `start` (microseconds since 1970), durable or not yet.
    /// - Throws: what `DurableStore.transact` throws.
    package func spent(
        _ subject: LimitSubject, windowMilliseconds: Int64, start: Int64, _ store: any DurableStore,
        deadline: MonotonicTime = .never
    ) async throws -> Int {
        let slot = Self.slot(subject, windowMilliseconds, start)
        var durable = 0
        for _ in 0 ..< Self.mostReads {
            let writes = state.withLock { $0.writes }
            durable = try await store.transact(deadline: deadline) { transaction in
                let values: [SQLValue] = [
                    .text(slot.tenant), .text(slot.subject), .integer(slot.start), .integer(slot.end),
                ]
                return Int(try transaction.rows(Self.read, values).first?.integer(0) ?? 0)
            }
            let pending: Int? = state.withLock { state in
                guard state.writes == writes, state.leaving[slot] == nil else { return nil }
                return state.pending[slot] ?? 0
            }
            if let pending { return durable + pending }
        }
        // Rather twice than not at all.
        return durable + state.withLock { ($0.pending[slot] ?? 0) + ($0.leaving[slot] ?? 0) }
    }

    /// Forgets windows long past, and reports that were taken in as long ago. - Throws: what `DurableStore.transact` throws.
    package static func purge(_ store: any DurableStore) async throws {
        try await store.transact { transaction in
            try transaction.run(forget, [.integer(transaction.now - retention)])
            try SpendReports.forget(before: transaction.now - retention, transaction)
        }
    }

    func take() -> [Slot: Int] {
        state.withLock { state in
            let batch = state.pending
            state.pending = [:]
            for (slot, amount) in batch { state.leaving[slot, default: 0] += amount }
            return batch
        }
    }

    func end(_ batch: [Slot: Int], isDurable: Bool) {
        state.withLock { state in
            state.writes += 1
            for (slot, amount) in batch {
                let left = (state.leaving[slot] ?? 0) - amount
                state.leaving[slot] = left == 0 ? nil : left
                if !isDurable { state.pending[slot, default: 0] += amount }
            }
        }
    }

    static func write(_ amounts: [Slot: Int], _ store: any StoreTransaction) throws {
        let sorted = amounts.sorted { one, other in
            (one.key.tenant, one.key.subject, one.key.start, one.key.end)
                < (other.key.tenant, other.key.subject, other.key.start, other.key.end)
        }
        try store.runEach(
            add,
            sorted.map { slot, amount in
                [.text(slot.tenant), .text(slot.subject), .integer(slot.start), .integer(slot.end), .integer(amount)]
            })
    }

    /// - Parameter start: microseconds since 1970.
    static func slot(_ subject: LimitSubject, _ window: Int64, _ start: Int64) -> Slot {
        Slot(tenant: subject.tenant, subject: subject.text, start: start / 1000, end: start / 1000 + window)
    }
}
