import ArgumentParser
import BulkheadAdminCLI
import TelemetryService

/// `audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = command(
        "audit", "Show what credentials allowed, refused and changed; its own trail is the proof.",
        example: "audit --since 1h --decision deny")
    @OptionGroup var shared: SharedOptions
    @Option(help: "How far back, e.g. 15m, 1h, 7d.") var since = "1h"
    @Option(help: "Only this destination.") var destination: String?
    @Option(help: "Only this secret, by its name.") var secret: String?
    @Option(help: "Only this decision: allow, deny, done or failed.") var decision: String?

    func validate() throws {
        guard decision.map({ ["allow", "deny", "done", "failed"].contains($0) }) ?? true else {
            throw ValidationError("--decision takes allow, deny, done or failed")
        }
    }

    func run() async throws {
        let query = CredentialQuery(since: since, destination: destination, secret: secret, decision: decision)
        let report = try await AdminConnection(.telemetry, shared).invoke("audit", query, as: CredentialReport.self)
        try show(report, shared) { report in
            let more = report.total - report.records.count
            return table([auditHead] + report.records.map(auditRow)) + (more > 0 ? "\n\n\(more) older records are not shown" : "")
        }
    }
}

private let auditHead = [
    "NUMBER", "TIME", "EVENT", "DECISION", "PEER", "DESTINATION", "SECRET", "METHOD", "STATUS", "REASON", "TENANT", "REQUEST",
]

private func auditRow(_ record: CredentialReport.Record) -> [String] {
    [
        "\(record.seq)", timeText(seconds: record.at / 1000), record.event, record.decision, orDash(record.peer),
        orDash(record.destination), orDash(record.secret), orDash(record.method), record.status == 0 ? "-" : "\(record.status)",
        orDash(record.reason), orDash(record.tenant), orDash(record.request),
    ]
}
