import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import BulkheadStore
import Glibc
import SessionService

/// `store`.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = command(
        "store", "Check, migrate, back up and time the store.", example: "store check",
        subcommands: [StoreCheck.self, StoreMigrate.self, StoreBackup.self, StoreSlow.self])
}

/// `store check`.
struct StoreCheck: AsyncParsableCommand {
    static let configuration = command(
        "check", "Check the store; exit 1 when it is damaged or a migration is missing.", example: "store check")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let found = try await AdminConnection(.session, shared).invoke(
            "store.check", NoValue(), as: StoreCondition.self, within: .seconds(300))
        try show(found, shared) { found in
            describe(found) + "\n"
                + table(
                    [["TABLE", "ROWS", "BYTES"]]
                        + found.tables.map { [$0.name, "\($0.rows)", $0.bytes.map { "\($0)" } ?? "-"] })
        }
        if !found.sound { throw ExitCodes.failed }
    }
}

/// `store migrate`.
struct StoreMigrate: AsyncParsableCommand {
    static let configuration = command(
        "migrate", "Bring the store's tables up to date. The service does so at its start, too.",
        example: "store migrate --dry-run")
    @OptionGroup var shared: SharedOptions
    @Flag(help: "Only say what is missing.") var dryRun = false

    func run() async throws {
        let done = try await AdminConnection(.session, shared).invoke(
            "store.migrate", MigrationRequest(dryRun: dryRun), as: MigrationReport.self, within: .seconds(300))
        try show(done, shared) { done in
            let verb = done.dryRun ? "missing" : "applied"
            return done.applied.isEmpty
                ? "nothing is missing: \(done.present.count) migrations are applied"
                : done.applied.map { "\(verb): \($0)" }.joined(separator: "\n")
        }
    }
}

/// `store backup`.
struct StoreBackup: AsyncParsableCommand {
    static let configuration = command(
        "backup", "Write a consistent copy while the service runs.", example: "store backup /var/backups/session.sqlite")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The file to write; must not exist.") var file: String

    func run() async throws {
        let found = try await AdminConnection(.session, shared).invoke(
            "store.backup", BackupTarget(file: absolute(file)), as: StoreCondition.self, within: .seconds(300))
        try show(found, shared) { "\(file) written: \(describe($0))" }
    }

    /// The service has another working directory.
    private func absolute(_ file: String) throws -> String {
        if file.hasPrefix("/") { return file }
        guard let folder = getcwd(nil, 0) else {
            throw ValidationError("the working directory cannot be read: name an absolute path")
        }
        defer { free(folder) }
        return String(cString: folder) + "/" + file
    }
}

/// `store slow`.
struct StoreSlow: AsyncParsableCommand {
    static let configuration = command(
        "slow", "Show how long statements take, and the last slow ones.", example: "store slow --json")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke("store.slow", NoValue(), as: StatementReport.self)
        try show(report, shared) { report in
            let times = table(
                [["STATEMENT", "RUNS", "ROWS", "P50 MS", "P99 MS", "MAX MS", "TOTAL MS"]]
                    + (report.statements + [report.wait]).map { line in
                        [
                            line.name, "\(line.count)", "\(line.rows)", number(line.p50Milliseconds),
                            number(line.p99Milliseconds), number(line.maxMilliseconds), number(line.totalMilliseconds),
                        ]
                    })
            guard !report.slow.isEmpty else { return times + "\nno run took \(number(report.slowAfterMilliseconds)) ms" }
            let slow = table(
                [["SLOW", "MS", "ROWS", "ENDED"]]
                    + report.slow.map { [$0.name, number($0.milliseconds), "\($0.rows)", timeText($0.endedAt)] })
            return times + "\n\nthe last of \(report.slowRuns) slow runs\n" + slow
        }
    }

    private func number(_ milliseconds: Double) -> String { "\((milliseconds * 1000).rounded() / 1000)" }
}

private func describe(_ found: StoreCondition) -> String {
    let state = found.problem ?? "sound"
    return "\(found.store.rawValue) \(found.version): \(state), \(found.bytes) bytes, \(found.migrations.count) migrations"
}
