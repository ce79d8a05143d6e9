import BulkheadCore
import BulkheadStore

/// Shows how keys, users and tenants stand against their limits. Only looks: nothing is taken.
package struct LimitInspection: Sendable {
    /// Alerts shown at most.
    static let alerts = 20

    let store: any DurableStore
    let desk: LimitDesk
    let spend: SpendLedger
    let policy: LimitPolicy
    let now: Moment
    let knows: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - now: the present.
    ///   - knows: whether a tenant has or had a key.
    package init(
        store: any DurableStore, desk: LimitDesk, spend: SpendLedger, policy: LimitPolicy, now: Moment,
        knows: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.knows = knows
        self.store = store
        self.desk = desk
        self.spend = spend
        self.policy = policy
        self.now = now
    }

    /// - Throws: INVALID_ARGUMENT, NOT_FOUND; what a store throws.
    package func show(_ asked: LimitSelection) async throws -> LimitsReport {
        let (tenant, account, rules) = try await rules(asked)
        let question = LimitQuestion(tenant: tenant, admission: "", rules: rules, counts: false)
        let answer = try await desk.ask(question, now: now)
        var report = LimitsReport(tenant: tenant, limits: [], budgets: [], alerts: [], isLocal: answer.isLocal)
        report.isUnknown = knows(tenant) ? nil : true
        for (rule, standing) in zip(rules, answer.standings) {
            if case .budget(let window) = rule.kind {
                report.budgets.append(try await budget(rule, window, standing))
            } else {
                report.limits.append(
                    LimitReport(
                        subject: rule.subject.text, kind: rule.word, limit: standing.limit, remaining: standing.remaining,
                        resetMilliseconds: standing.reset / 1000))
            }
        }
        let subjects = Set(rules.map(\.subject.text))
        let told = desk.alerts.list.reversed().filter { $0.tenant == tenant && subjects.contains($0.subject) }
        report.alerts = Array(told.prefix(Self.alerts))
        report.unpricedToday = try await unpriced(asked, tenant, account)
        return report
    }

    private func unpriced(_ asked: LimitSelection, _ tenant: String, _ account: String?) async throws -> Int {
        try await spend.flush(store)
        let day = SpendLedger.day(now.unixMilliseconds)
        return try await store.transact { db in
            if let account { return try SpendTable.total(account: account, day: day, db).unpriced }
            return try SpendTable.unpriced(tenant: tenant, user: asked.user, day: day, db)
        }
    }

    private func rules(_ asked: LimitSelection) async throws -> (tenant: String, account: String?, [LimitRule]) {
        if let id = asked.keyID {
            guard asked.tenant == nil, asked.user == nil else { throw Self.unclear }
            let key = try await store.transact { db in
                guard let key = try KeyTable.find(id: id, db) else { throw KeyAdministration.unknown(id) }
                return key
            }
            return (key.tenant, key.account, policy.rules(of: key, key.user.map { .user($0) } ?? .key(key.account)))
        }
        guard let tenant = asked.tenant else { throw Self.unclear }
        try KeyRules.check(name: tenant, option: "--tenant", limit: 128)
        if let user = asked.user { try KeyRules.check(name: user, option: "--user", limit: 256) }
        // A key without limits of its own, as any user's may be.
        let key = KeyRecord(id: "", digest: KeyDigest(of: ""), tenant: tenant, user: asked.user, createdAt: 0)
        let rules = policy.rules(of: key, asked.user.map { .user($0) } ?? .key(""))
        return (tenant, nil, asked.user == nil ? rules.filter { $0.subject == .tenant(tenant) } : rules)
    }

    private func budget(_ rule: LimitRule, _ window: Int64, _ standing: LimitStanding) async throws -> BudgetReport {
        let spent = try await spend.budgets.spent(
            rule.subject, windowMilliseconds: window, start: standing.start, store)
        let remaining = max(0, standing.remaining)
        return BudgetReport(
            subject: rule.subject.text, windowMilliseconds: window, limitNanousd: standing.limit, spentNanousd: spent,
            reservedNanousd: max(0, standing.limit - remaining - spent), remainingNanousd: remaining,
            windowEndsAt: standing.start / 1000 + window)
    }

    private static let unclear = CallError(
        .invalidArgument, reason: "invalid_request",
        message: "name a key by its id, or a tenant with --tenant, or a user with both --tenant and --user")
}
