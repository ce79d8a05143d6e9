import ArgumentParser
import BulkheadAdminCLI
import SessionService

/// `limits`.
struct LimitsCommand: AsyncParsableCommand {
    static let configuration = command(
        "limits", "Show limits and budgets, what is left of them, and let them count anew.",
        example: "limits show --tenant acme --user ada",
        subcommands: [LimitsShow.self, LimitsResetCommand.self])
}

/// `limits show`.
struct LimitsShow: AsyncParsableCommand {
    static let configuration = command(
        "show", "Show each limit of a key, a tenant or a user, what is left of it, and alerts on budgets.",
        example: "limits show key_5sTqVnN0bWJ0aGlz")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A key's id, as `keys list` shows it; or name a tenant.") var id: String?
    @Option(help: "The tenant.") var tenant: String?
    @Option(help: "A user of the tenant.") var user: String?

    func validate() throws {
        guard (id == nil) != (tenant == nil), id == nil || user == nil else {
            throw ValidationError("say whose: a key by its id, or a tenant with --tenant, with --user for one of it")
        }
    }

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "limits.show", LimitSelection(keyID: id, tenant: tenant, user: user), as: LimitsReport.self)
        try show(report, shared) { describe($0) }
    }
}

/// `limits reset`.
struct LimitsResetCommand: AsyncParsableCommand {
    static let configuration = command(
        "reset", "Let requests and tokens count from zero; places and money stay as they are.",
        example: "limits reset --tenant acme --user ada")
    @OptionGroup var shared: SharedOptions
    @Option(help: "The tenant; alone: what all of it counts together.") var tenant: String?
    @Option(help: "A user of the tenant.") var user: String?
    @Option(help: "A key's id: its own counts and its user's.") var key: String?

    func validate() throws {
        guard tenant != nil || key != nil else {
            throw ValidationError("say whose: --tenant, with --user or --key for one of it")
        }
        guard user == nil || key == nil else { throw ValidationError("--user and --key are both given; name one of them") }
    }

    func run() async throws {
        let done = try await AdminConnection(.session, shared).invoke(
            "limits.reset", LimitSelection(keyID: key, tenant: tenant, user: user), as: LimitsReset.self)
        try show(done, shared) { done in
            let whose = done.subjects.joined(separator: ", ")
            let rest = done.isLocal ? " Redis does not answer: only what this suite counts by itself was reset." : ""
            return "Requests and tokens of \(whose) (tenant \(done.tenant)) count from zero; money is as it was.\(rest)"
                + (done.isUnknown == true ? "\n" + unknownTenant(done.tenant) : "")
        }
    }
}

private func describe(_ report: LimitsReport) -> String {
    var parts: [String] = []
    if report.isUnknown == true { parts.append(unknownTenant(report.tenant)) }
    if report.isLocal { parts.append("The shared store is away: these are this suite's shares.") }
    if report.limits.isEmpty, report.budgets.isEmpty { parts.append("no limits") }
    if !report.limits.isEmpty {
        let rows = report.limits.map { one in
            [one.subject, one.kind, "\(one.limit)", "\(one.remaining)", "\((one.resetMilliseconds + 999) / 1000) s"]
        }
        parts.append(table([["SUBJECT", "LIMIT", "MOST", "LEFT", "WHOLE IN"]] + rows))
    }
    if !report.budgets.isEmpty {
        let rows = report.budgets.map { one in
            [
                one.subject, dollarText(one.limitNanousd), dollarText(one.spentNanousd), dollarText(one.reservedNanousd),
                dollarText(one.remainingNanousd), timeText(one.windowEndsAt),
            ]
        }
        parts.append(table([["BUDGET OF", "USD", "SPENT", "RESERVED", "LEFT", "UNTIL"]] + rows))
    }
    if report.unpricedToday > 0 {
        parts.append(
            "\(report.unpricedToday) requests today used tokens of unknown price: no budget counts them. "
                + "Give their models prices (router.model_info).")
    }
    if !report.alerts.isEmpty {
        let rows = report.alerts.map { [timeText($0.at), $0.subject, "\($0.threshold) % of \(dollarText($0.limit)) USD"] }
        parts.append(table([["ALERT", "BUDGET OF", "SPENT"]] + rows))
    }
    return parts.joined(separator: "\n\n")
}
