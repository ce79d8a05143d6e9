import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import Glibc
import SessionService

/// `store`.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = command(
        "store", "Check and back up the store.", example: "store check", subcommands: [StoreCheck.self, StoreBackup.self])
}

/// `store check`.
struct StoreCheck: AsyncParsableCommand {
    static let configuration = command("check", "Check the store; exit 1 when it is damaged.", example: "store check")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "store.check", NoValue(), as: StoreReport.self, within: .seconds(300))
        try show(report, shared) { describe($0) }
        if !report.sound { throw ExitCodes.failed }
    }
}

/// `store backup`.
struct StoreBackup: AsyncParsableCommand {
    static let configuration = command(
        "backup", "Write a consistent copy while the service runs.", example: "store backup /var/backups/session.sqlite")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The file to write; must not exist.") var file: String

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "store.backup", BackupTarget(file: absolute(file)), as: StoreReport.self, within: .seconds(300))
        try show(report, shared) { "\(file) written: \(describe($0))" }
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

private func describe(_ report: StoreReport) -> String {
    let state = report.problem.map { "damaged: \($0)" } ?? "sound"
    return "\(report.store) \(state), \(report.bytes) bytes, \(report.keys) keys, \(report.idempotencyRows) idempotency rows"
}
