import DequeModule
import Synchronization

/// So much of a budget is spent.
package struct BudgetAlert: Sendable, Equatable, Codable {
    package var tenant: String
    /// `user:NAME`, `end:NAME`, `key:ID` or `tenant`.
    package var subject: String
    package var windowMilliseconds: Int64
    /// Nano-dollars.
    package var limit: Int
    /// Percent.
    package var threshold: Int
    /// Milliseconds since 1970.
    package var at: Int64
}

/// The alerts told last, for people to look up.
package final class BudgetAlerts: Sendable {
    /// Beyond it the oldest are forgotten.
    package static let capacity = 1000

    private let kept = Mutex(Deque<BudgetAlert>())
    private let told: @Sendable (BudgetAlert) -> Void

    /// - Parameter told: called once for each subject, window and threshold.
    package init(told: @escaping @Sendable (BudgetAlert) -> Void = { _ in }) { self.told = told }

    /// Oldest first.
    package var list: [BudgetAlert] { kept.withLock { Array($0) } }

    func tell(_ tenant: String, _ crossings: [BudgetCrossing], at now: Int64) {
        for crossing in crossings {
            for threshold in BudgetBook.thresholds[crossing.from ..< min(crossing.to, BudgetBook.thresholds.count)] {
                let alert = BudgetAlert(
                    tenant: tenant, subject: crossing.subject, windowMilliseconds: crossing.windowMilliseconds,
                    limit: crossing.limit, threshold: threshold, at: now)
                kept.withLock { kept in
                    if kept.count >= Self.capacity { kept.removeFirst() }
                    kept.append(alert)
                }
                told(alert)
            }
        }
    }
}
