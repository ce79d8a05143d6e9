import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import SessionService

/// `idempotency`.
struct IdempotencyCommand: AsyncParsableCommand {
    static let configuration = command(
        "idempotency", "Show and delete answers kept for replay, and give keys free.", example: "idempotency list",
        subcommands: [IdempotencyList.self, IdempotencyShow.self, IdempotencyRelease.self, IdempotencyPurge.self])
}

/// `idempotency list`.
struct IdempotencyList: AsyncParsableCommand {
    static let configuration = command(
        "list", "List kept answers and running requests, newest first.",
        example: "idempotency list --tenant acme --state unknown --limit 20")
    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant.") var tenant: String?
    @Option(help: "Only reserved, dispatched, unknown or completed ones.") var state: String?
    @Option(parsing: .unconditional, help: "Rows at most, 1 to 10000.") var limit = 100

    func validate() throws {
        guard IdempotencySelection.limits.contains(limit) else {
            throw ValidationError(
                "--limit is \(limit); expected a whole number from 1 to \(IdempotencySelection.limits.upperBound)")
        }
    }

    func run() async throws {
        let rows = try await AdminConnection(.session, shared).invoke(
            "idempotency.list", IdempotencySelection(tenant: tenant, state: state, limit: limit), as: [IdempotencyReport].self)
        try show(rows, shared) { rows in
            table(
                [["TENANT", "OWNER", "ROUTE", "STATE", "STATUS", "BYTES", "BEGAN", "KEPT UNTIL"]]
                    + rows.map { row in
                        [
                            row.tenant, row.owner, row.route, row.state, row.status.map { "\($0)" } ?? "-",
                            "\(row.bytes)",
                            timeText(row.startedAt), timeText(row.expiresAt),
                        ]
                    })
        }
    }
}

/// Which Idempotency-Key, and whose.
struct ClaimOptions: ParsableArguments {
    @Argument(help: "The Idempotency-Key as the client sent it; - reads it from standard input.") var key: String
    @Option(help: "The tenant whose it is.") var tenant: String
    @Option(help: "The user whose it is; without user, end user and key id the whole tenant's.") var user: String?
    @Option(help: "The user whom the request's body named.") var endUser: String?
    @Option(help: "The API key whose it is, by its id.") var keyID: String?

    func validate() throws {
        guard [user, endUser, keyID].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("--user, --end-user and --key-id: an Idempotency-Key belongs to one of them; give one at most")
        }
    }

    func name() throws -> ClaimName {
        ClaimName(key: try text(), tenant: tenant, user: user, endUser: endUser, keyID: keyID)
    }

    private func text() throws -> String {
        guard key == "-" else { return key }
        guard let line = readLine(), !line.isEmpty else { throw ValidationError("standard input holds no Idempotency-Key") }
        return line
    }
}

/// `idempotency show`.
struct IdempotencyShow: AsyncParsableCommand {
    static let configuration = command(
        "show", "Show what became of an Idempotency-Key.", example: "idempotency show order-4711 --tenant acme --user ada")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var claim: ClaimOptions

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "idempotency.show", claim.name(), as: ClaimReport.self)
        try show(report, shared) { describe($0) }
    }
}

private func describe(_ report: ClaimReport) -> String {
    let summary = report.summary
    return table([
        ["state", summary.state], ["fence", "\(summary.fence)"], ["tenant", summary.tenant], ["owner", summary.owner],
        ["route", summary.route], ["request", summary.requestID.isEmpty ? "-" : summary.requestID],
        ["began", timeText(summary.startedAt)], ["sent out", timeText(report.dispatchedAt)],
        ["answered", timeText(report.completedAt)],
        ["held until", summary.state == "completed" ? "-" : timeText(report.leaseUntil)],
        ["kept until", timeText(summary.expiresAt)], ["status", summary.status.map { "\($0)" } ?? "-"],
        ["bytes", "\(summary.bytes)"], ["stream pieces", report.streamPieces.map { "\($0)" } ?? "-"],
        ["broken off", report.incomplete ? "yes" : "no"],
        ["kept", summary.state == "completed" ? (report.retained ? "yes" : "no, too large") : "-"],
        ["possible duplicate", summary.possibleDuplicate ? "yes" : "no"],
    ])
}

/// `idempotency release`.
struct IdempotencyRelease: AsyncParsableCommand {
    static let configuration = command(
        "release", "Give an Idempotency-Key free: the next request with it runs.",
        example: "idempotency release order-4711 --tenant acme --user ada")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var claim: ClaimOptions
    @Flag(help: "Also while it is held for a request that may run, or when it was answered: the same request would run again.")
    var force = false

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "idempotency.release", ClaimRelease(claim.name(), force: force), as: ClaimReport.self)
        try show(report, shared) { "The key was \($0.summary.state) and is free." }
    }
}

/// `idempotency purge`.
struct IdempotencyPurge: AsyncParsableCommand {
    static let configuration = command(
        "purge", "Delete expired answers, or with --all every kept one; running requests stay.",
        example: "idempotency purge --tenant acme --all")
    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant.") var tenant: String?
    @Flag(help: "Also answers that have not expired: their requests would run again.") var all = false

    func run() async throws {
        let done = try await AdminConnection(.session, shared).invoke(
            "idempotency.purge", IdempotencySelection(tenant: tenant, all: all), as: Purged.self)
        try show(done, shared) { "\($0.purged) answers deleted" }
    }
}
