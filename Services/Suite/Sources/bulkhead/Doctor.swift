import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadCore
import BulkheadServiceKit
import BulkheadTokens
import Glibc

/// What `bulkhead doctor` looks at, and what it found.
struct Finding: Codable {
    var what: String
    var good: Bool
    /// What is wrong and what to do; empty when there is nothing to do.
    var detail: String
}

/// `bulkhead doctor`: exit 0 when nothing is wrong.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what usually goes wrong, and say what to do.",
        discussion: "Example:\n  bulkhead doctor --config bulkhead.yaml")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        var findings = try await configuration()
        if findings.allSatisfy(\.good) {
            let suite = try AdminConnection.suite(shared.configurationPath)
            for service in ServiceName.allCases {
                findings += folders(service, suite)
                findings.append(await state(service, suite))
            }
            findings.append(vocabularies())
        }
        try show(findings, shared) { findings in
            findings.map { "\($0.good ? "ok     " : "PROBLEM")  \($0.what)\($0.detail.isEmpty ? "" : ": \($0.detail)")" }
                .joined(separator: "\n")
        }
        if !findings.allSatisfy(\.good) { throw ExitCodes.failed }
    }

    private func configuration() async throws -> [Finding] {
        let programs = try Programs.locate()
        var findings: [Finding] = []
        for service in ServiceName.allCases {
            let problems = try await programs.check(service, shared.configurationPath)
            let detail = problems.map(\.description).joined(separator: "; ")
            findings.append(Finding(what: "configuration of \(service.rawValue)", good: problems.isEmpty, detail: detail))
        }
        return findings
    }

    private func folders(_ service: ServiceName, _ suite: SuiteConfiguration) -> [Finding] {
        let folders = ServiceFolders(service: service, runDir: suite.runDir, stateDir: suite.stateDir)
        return [(folders.run, mode_t(0o007)), (folders.state, mode_t(0o077))].compactMap { path, forbidden in
            var info = stat()
            guard lstat(path, &info) == 0 else { return nil }
            let what = "folder \(path)"
            guard info.st_mode & S_IFMT == S_IFDIR else {
                return Finding(what: what, good: false, detail: "is no folder; move it away")
            }
            guard info.st_mode & forbidden == 0 else {
                return Finding(what: what, good: false, detail: "lets others in; run: chmod o-rwx \(path)")
            }
            guard info.st_uid == geteuid() || geteuid() == 0 else {
                return Finding(
                    what: what, good: false,
                    detail: "belongs to uid \(info.st_uid), not \(geteuid()); run the suite as its owner, or chown it")
            }
            return Finding(what: what, good: true, detail: "")
        }
    }

    /// Without them everything works, only token counts are rougher.
    private func vocabularies() -> Finding {
        let executable = VocabularyFolder.executable
        let missing = TokenVocabulary.allCases.filter { VocabularyFolder.find($0, executable: executable) == nil }
        let names = missing.map(\.fileName).joined(separator: ", ")
        return Finding(
            what: "vocabularies", good: true,
            detail: missing.isEmpty
                ? "" : "\(names) not installed: tokens are counted roughly, four bytes each; run deploy/models/fetch.sh")
    }

    private func state(_ service: ServiceName, _ suite: SuiteConfiguration) async -> Finding {
        let what = service.executable
        let socket = ServiceFolders(service: service, runDir: suite.runDir, stateDir: suite.stateDir).adminSocket
        guard access(socket, F_OK) == 0 else {
            return Finding(what: what, good: false, detail: "does not run; start it: bulkhead up")
        }
        do {
            let status = try await AdminConnection(service, runDir: suite.runDir).request(
                "status", NoValue(), as: StatusReport.self, within: .seconds(3))
            return Finding(
                what: what, good: status.state == "ready",
                detail: status.state == "ready" ? "" : "\(status.state): \(status.reason)")
        } catch {
            return Finding(what: what, good: false, detail: "does not answer; it is frozen or has died (look at its log)")
        }
    }
}
