import BulkheadCore
import BulkheadStore
import Synchronization

/// What requests of a key came to that no settlement told of, as it is to be written.
struct ReportedSpend: Sendable {
    let slot: SpendLedger.Slot
    let spend: Spend
    /// What its budgets are charged.
    let charges: [BudgetCharge]
}

// States of a report: unknown → taken in (its name is in the store, with what it says, by one commit). When the commit's outcome
// was not heard it is in doubt here until it comes again.

/// Reports of what was spent while session was away. Each is counted once, however often it is told.
final class SpendReports: Sendable {
    /// Reports in doubt that are kept in mind: each edge makes one at a time.
    private static let mostDoubtful = 64

    private let doubtful = Mutex(RecentMap<String, Bool>(capacity: SpendReports.mostDoubtful))

    private static let take = Statement(
        "spend.report", "INSERT INTO spend_report (id, taken_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
    private static let forget = Statement("spend.report_forget", "DELETE FROM spend_report WHERE taken_at < $1")

    /// What a report came to.
    struct Outcome: Sendable {
        /// It was taken in before.
        var isRepeated: Bool
        /// The limits of this process do not know of it.
        var isNews: Bool
    }

    /// Writes a report, with its name, in one transaction.
    /// - Throws: what `DurableStore.transact` throws; the report is to be told again.
    func write(
        _ id: String, _ spent: [ReportedSpend], _ store: any DurableStore, deadline: MonotonicTime
    ) async throws -> Outcome {
        let (ledger, budgets) = Self.sums(spent)
        do {
            let isNew = try await store.transact(deadline: deadline) { transaction in
                guard try transaction.run(Self.take, [.text(id), .integer(transaction.now)]) > 0 else { return false }
                try SpendLedger.write(ledger, transaction)
                try BudgetSpend.write(budgets, transaction)
                return true
            }
            let wasInDoubt = doubtful.withLock { doubtful in
                defer { doubtful[id] = nil }
                return doubtful[id] != nil
            }
            return Outcome(isRepeated: !isNew, isNews: isNew || wasInDoubt)
        } catch {
            doubtful.withLock { $0[id] = true }
            throw error
        }
    }

    private static func sums(_ spent: [ReportedSpend]) -> ([SpendLedger.Slot: Spend], [BudgetSpend.Slot: Int]) {
        var (ledger, budgets) = ([SpendLedger.Slot: Spend](), [BudgetSpend.Slot: Int]())
        for one in spent {
            ledger[one.slot, default: Spend()] += one.spend
            for charge in one.charges {
                let slot = BudgetSpend.slot(charge.subject, charge.windowMilliseconds, charge.start)
                let sum = budgets[slot, default: 0].addingReportingOverflow(charge.nanousd)
                budgets[slot] = sum.overflow ? .max : sum.partialValue
            }
        }
        return (ledger, budgets)
    }

    static func forget(before: Int64, _ store: any StoreTransaction) throws { try store.run(forget, [.integer(before)]) }
}
