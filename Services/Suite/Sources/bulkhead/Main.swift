import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit

/// `bulkhead`: the suite on one machine.
@main
enum Main {
    static func main() { ServiceMain.run(command: Suite.self) }
}

struct Suite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead", abstract: "Run and look after a Bulkhead suite on one machine.",
        discussion: "Example:\n  bulkhead up --config bulkhead.yaml", version: BulkheadVersion.current,
        subcommands: [Up.self, SuiteStatus.self, SuiteLinks.self, Doctor.self, Initialise.self])
}
