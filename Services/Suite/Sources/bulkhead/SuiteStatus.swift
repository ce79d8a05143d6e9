import ArgumentParser
import BulkheadAdminCLI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit

/// What `bulkhead status --json` prints.
struct SuiteStatusReport: Codable {
    struct Entry: Codable {
        /// As the service says; `down` when it does not answer.
        var state: String
        var reason: String
        var pid: Int32?
        var uptimeSeconds: Double?
    }
    var services: [String: Entry]
}

/// `bulkhead status`: exit 0 when all six are healthy.
struct SuiteStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the six services are.", discussion: "Example:\n  bulkhead status --json")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let runDir = try AdminConnection.suite(shared.configurationPath).runDir
        var report = SuiteStatusReport(services: [:])
        for service in ServiceName.allCases {
            report.services[service.rawValue] = await ask(service, runDir)
        }
        try show(report, shared) { report in
            table(
                [["SERVICE", "STATE", "PID", "UP", "REASON"]]
                    + ServiceName.allCases.compactMap { service in
                        guard let entry = report.services[service.rawValue] else { return nil }
                        return [
                            service.rawValue, entry.state, entry.pid.map(String.init) ?? "-",
                            entry.uptimeSeconds.map { "\(Int($0)) s" } ?? "-", entry.reason,
                        ]
                    })
        }
        let healthy = report.services.values.allSatisfy { $0.state == "ready" || $0.state == "degraded" }
        if !healthy { throw ExitCodes.failed }
    }

    private func ask(_ service: ServiceName, _ runDir: String) async -> SuiteStatusReport.Entry {
        do {
            let status = try await AdminConnection(service, runDir: runDir).request(
                "status", NoValue(), as: StatusReport.self, within: .seconds(3))
            return .init(state: status.state, reason: status.reason, pid: status.pid, uptimeSeconds: status.uptimeSeconds)
        } catch let error as CallError {
            return .init(state: "down", reason: error.message)
        } catch {
            return .init(state: "down", reason: "not running")
        }
    }
}

/// `bulkhead links`.
struct SuiteLinks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "links", abstract: "Show the links of all six services.", discussion: "Example:\n  bulkhead links")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let runDir = try AdminConnection.suite(shared.configurationPath).runDir
        var links: [String: [LinkReport]] = [:]
        for service in ServiceName.allCases {
            do {
                links[service.rawValue] = try await AdminConnection(service, runDir: runDir).request(
                    "links", NoValue(), as: [LinkReport].self, within: .seconds(3))
            } catch {
                // It said so on standard error; the others are shown all the same.
                links[service.rawValue] = []
            }
        }
        try show(links, shared) { links in
            table(
                [["FROM"] + LinkReport.head]
                    + ServiceName.allCases.flatMap { service in
                        (links[service.rawValue] ?? []).map { [service.rawValue] + $0.row }
                    })
        }
    }
}
