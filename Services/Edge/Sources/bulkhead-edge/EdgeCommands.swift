import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import EdgeService

/// `bulkhead-edge routes`
struct RoutesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes", abstract: "Lists what edge serves.", discussion: "Example:\n  bulkhead-edge routes")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.edge, shared).invoke("routes", NoValue(), as: [RouteRow].self)
        try show(rows, shared) { rows in table([["METHODS", "PATH", "WHAT"]] + rows.map { [$0.methods, $0.path, $0.what] }) }
    }
}

/// `bulkhead-edge limits KEY`
struct LimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "Shows what edge remembers of a key for the time session is away.",
        discussion: "Example:\n  bulkhead-edge limits key_2f6c1d")

    @OptionGroup var shared: SharedOptions
    @Argument(help: "The id of the key, as `bulkhead-session keys list` shows it; not the key itself.")
    var key: String

    func run() async throws {
        let report = try await AdminConnection(.edge, shared).invoke("limits", LimitsQuery(key: key), as: LimitsReport.self)
        try show(report, shared) { report in
            let limit =
                report.requestsPerMinute == 0 ? "unlimited" : "\(report.remaining) of \(report.requestsPerMinute) a minute left"
            let budget = report.budgetNanousd.map {
                "\nbudget: $\(Self.dollars(report.budgetLeftNanousd ?? 0)) of $\(Self.dollars($0)) left"
            }
            return """
                key \(report.key) of tenant \(report.tenant)
                requests: \(limit)\(budget ?? "")
                admitted by session \(Int(report.seenSecondsAgo)) s ago; served without session since: \(report.servedWithoutSession)
                changes of keys are \(report.isWatched ? "told at once" : "not told: session is asked for every request")
                """
        }
    }

    private static func dollars(_ nano: Int) -> String { AnswerFacts.dollars(nano) }
}
