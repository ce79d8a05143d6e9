import BulkheadAPI
import BulkheadCore
import BulkheadStore

// What was spent while edge decided without session.

extension Admission {
    /// Entries of one report.
    private static let mostEntries = 512
    /// Older than this nothing is: a remembered key counts for 15 minutes, and a report waits for session.
    private static let oldest: Int64 = 90 * 86_400_000

    /// Takes a report in: durable when it returns, and known to the limits.
    /// - Throws: INVALID_ARGUMENT; what `DurableStore.transact` throws: the report is to be told again.
    package func take(
        _ report: SessionAPI.ReportSpendRequest, _ store: any DurableStore, deadline: MonotonicTime = .never, now: Moment
    ) async throws -> SessionAPI.ReportSpendReply {
        try Self.check(report)
        try await learnKeys(report.spent.filter { $0.identity == nil }.map(\.keyID), store, deadline)
        let policy = policy
        let known = report.spent.compactMap { one in keys.holder(of: one).map { Late(one, $0, policy, now) } }
        // What is charged below is then charged to budgets that stand as they did before this report.
        for one in known where !one.budgets.isEmpty { try await limits.learn(one.key.tenant, one.budgets, now: now) }
        let spent = known.map { one in
            ReportedSpend(
                slot: SpendLedger.Slot(
                    keyID: one.key.id, tenant: one.key.tenant, day: SpendLedger.day(now.unixMilliseconds - one.age)),
                spend: one.spend,
                charges: limits.charges(one.spend.costNanousd, one.budgets, ago: one.age, now: now))
        }
        let outcome = try await reports.write(report.reportID, spent, store, deadline: deadline)
        if outcome.isNews {
            for (one, written) in zip(known, spent) {
                limits.charge(one.key.tenant, report.reportID, written.charges, one.budgets, now: now)
            }
        }
        metrics.reported(isRepeated: outcome.isRepeated)
        return SessionAPI.ReportSpendReply(isRepeated: outcome.isRepeated, unknown: report.spent.count - known.count)
    }

    /// An entry whose key is known.
    private struct Late {
        let key: KeyRecord
        let budgets: [LimitRule]
        /// Milliseconds.
        let age: Int64
        let spend: Spend

        init(_ told: SessionAPI.SpentAway, _ key: KeyRecord, _ policy: LimitPolicy, _ now: Moment) {
            self.key = key
            let identity = Identity(key: key, asserted: told.assertedUser, end: told.endUser)
            budgets = policy.rules(of: key, identity).filter { if case .budget = $0.kind { true } else { false } }
            // A clock that was ahead makes nothing late.
            age = min(max(0, now.unixMilliseconds.subtractingReportingOverflow(Int64(told.atMS)).partialValue), oldest)
            let bounded = { (amount: Int) in min(max(0, amount), LimitQuestion.mostAmount) }
            spend = Spend(
                requests: bounded(told.requests), inputTokens: bounded(told.inputTokens),
                outputTokens: bounded(told.outputTokens), costNanousd: bounded(told.costNanousd))
        }
    }

    private static func check(_ report: SessionAPI.ReportSpendRequest) throws {
        let isNamed =
            (8 ... 40).contains(report.reportID.utf8.count)
            && report.reportID.utf8.allSatisfy {
                (48 ... 57).contains($0) || (65 ... 90).contains($0) || (97 ... 122).contains($0)
            }
        guard isNamed, report.spent.count <= mostEntries else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "a report has a name of 8 to 40 letters and digits and at most \(mostEntries) entries; this one has a "
                    + "name of \(report.reportID.utf8.count) bytes and \(report.spent.count) entries")
        }
    }

    /// Keys that are in the store and not read yet.
    private func learnKeys(_ ids: [String], _ store: any DurableStore, _ deadline: MonotonicTime) async throws {
        let unknown = Set(ids.filter { keys.find(id: $0) == nil })
        guard !unknown.isEmpty else { return }
        let found = try await store.transact(deadline: deadline) { transaction in
            try unknown.compactMap { try KeyTable.find(id: $0, transaction) }
        }
        for key in found { keys.publish(key) }
    }
}
