import ArgumentParser
import BulkheadAdminCLI
import TelemetryService

@main
enum Main {
    static func main() { ServiceMain.run(TelemetryDaemon.self) }
}

extension TelemetryDaemon: CommandLineService {
    package static var abstract: String { "Requests, costs, latencies and errors of the suite." }

    package static var commands: [any ParsableCommand.Type] {
        [StatsCommand.self, CostsCommand.self, ErrorsCommand.self, TraceCommand.self, PricesCommand.self, AuditCommand.self]
    }
}

/// The configuration of a command, with its example.
func command(_ name: String, _ abstract: String, example: String) -> CommandConfiguration {
    CommandConfiguration(commandName: name, abstract: abstract, discussion: "Example:\n  bulkhead-telemetry \(example)")
}

/// What reports are about.
struct ReportOptions: ParsableArguments {
    @Option(help: "How far back, e.g. 15m, 1h, 7d.") var since = "1h"
    @Option(help: "Only this tenant.") var tenant: String?

    var query: ReportQuery { ReportQuery(since: since, tenant: tenant) }
}
