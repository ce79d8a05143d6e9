import ArgumentParser
import BulkheadAdminCLI
import CredentialsService

/// Arguments of verbs that take none.
struct Nothing: Codable, Sendable {}

struct TestDestination: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Make one GET with a secret or to a destination: status and time.",
        discussion: "Example:\n  bulkhead-credentials test OPENAI_API_KEY")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A secret or a destination.") var name: String

    func run() async throws {
        let rows = try await AdminConnection(.credentials, shared).invoke(
            "test", NamedCommand(name: name), as: [TestRow].self, within: .seconds(60))
        try show(rows, shared) { rows in
            rows.map { row in
                "\(row.destination): \(row.isGood ? "ok" : "failed")\(row.status.map { ", status \($0)" } ?? ""), "
                    + "\(Int(row.milliseconds.rounded())) ms: \(row.message)"
            }.joined(separator: "\n")
        }
        if rows.contains(where: { !$0.isGood }) { throw ExitCodes.failed }
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check store, audit trail and destinations, and say what to do.",
        discussion: "Example:\n  bulkhead-credentials doctor")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.credentials, shared).invoke("doctor", Nothing(), as: [DoctorRow].self)
        try show(rows, shared) { rows in
            table([["LEVEL", "SUBJECT", "MESSAGE"]] + rows.map { [$0.level, $0.subject, $0.message] })
        }
        if rows.contains(where: { $0.level == "error" }) { throw ExitCodes.failed }
    }
}

struct Unlock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Open the vault with a key that is not on disk.",
        discussion:
            "With --accept-older and without --stdin, the key that the configuration names is used.\n"
            + "Example:\n  pass vault-key | bulkhead-credentials unlock --stdin")
    @OptionGroup var shared: SharedOptions
    @Flag(help: "Read the key (32 bytes or a passphrase) from standard input.") var stdin = false
    @Flag(help: "Take a vault file that is older than what was seen here, as after restoring a backup; audited.")
    var acceptOlder = false

    func run() async throws {
        let key = acceptOlder && !stdin ? nil : try ValueInput.bytes(fromInput: stdin, prompt: "Vault key")
        let done = try await AdminConnection(.credentials, shared).invoke(
            "vault.unlock", UnlockCommand(key: key, acceptsOlder: acceptOlder), as: Nothing.self)
        try show(done, shared) { _ in "the store is open" }
    }
}

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Read or verify the audit trail.",
        discussion: "Example:\n  bulkhead-credentials audit verify",
        subcommands: [AuditTail.self, AuditVerify.self])

    func run() async throws { throw ValidationError("say which: audit tail or audit verify") }
}

struct AuditTail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Show the last records.",
        discussion: "Example:\n  bulkhead-credentials audit tail --count 50")
    @OptionGroup var shared: SharedOptions
    @Option(parsing: .unconditional, help: "How many, 1 to 1000.") var count = 20

    func validate() throws {
        guard (1 ... 1000).contains(count) else {
            throw ValidationError("--count is \(count); expected a whole number from 1 to 1000")
        }
    }

    func run() async throws {
        let records = try await AdminConnection(.credentials, shared).invoke(
            "audit.tail", TailCommand(count: count), as: [AuditRecord].self)
        try show(records, shared) { records in
            table(
                [["SEQ", "TIME", "EVENT", "DECISION", "BY", "ABOUT", "METHOD", "REASON"]]
                    + records.map { record in
                        let subject = [record.destination, record.secret].compactMap { $0 }.joined(separator: " ")
                        return [
                            "\(record.seq)", WallTime.text(record.at), record.event, record.decision, record.peer,
                            subject.isEmpty ? "-" : subject,
                            record.method ?? "-", record.reason ?? "-",
                        ]
                    })
        }
    }
}

struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that no record was changed, removed or cut off.",
        discussion: "Example:\n  bulkhead-credentials audit verify")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let found = try await AdminConnection(.credentials, shared).invoke(
            "audit.verify", Nothing(), as: AuditVerification.self, within: .seconds(120))
        try show(found, shared) { $0.problem ?? "\($0.records) records, all in order" }
        if found.problem != nil { throw ExitCodes.failed }
    }
}
