import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct Models: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Lists the configured model names, their targets and how these are.",
        discussion: "Counts are of the time since the router started.\n\nExample:\n  bulkhead-router models")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.router, shared).invoke("models", NoValue(), as: [ModelRow].self)
        try show(rows, shared) { table([Self.head] + $0.flatMap(Self.lines)) }
    }

    private static let head = [
        "MODEL", "STRATEGY", "TARGET", "WEIGHT", "DIALECT", "STATE", "PRICE", "TRIES", "FAILED", "FALLBACKS",
    ]

    /// The model's own columns stand on its first line only.
    private static func lines(_ model: ModelRow) -> [[String]] {
        model.details.enumerated().map { index, target in
            let probe = target.nextProbeMilliseconds.map { ", probe in \($0) ms" } ?? ""
            return [
                index == 0 ? model.name : "", index == 0 ? model.strategy : "", target.target, "\(target.weight)", target.dialect,
                target.state + (target.state == "disabled" ? "" : probe), target.hasPrice ? "known" : "unknown",
                "\(target.tries)",
                "\(target.failures)", index == 0 ? model.fallbacks.joined(separator: ", ") : "",
            ]
        }
    }
}

struct Providers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "providers", abstract: "Lists the configured providers, what they serve and how they are.",
        discussion: "Counts are of the time since the router started.\n\nExample:\n  bulkhead-router providers --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.router, shared).invoke("providers", NoValue(), as: [ProviderRow].self)
        try show(rows, shared) { table([Self.head] + $0.map(Self.line)) }
    }

    private static let head = ["PROVIDER", "DIALECT", "DESTINATION", "SERVES", "MODELS", "TRIES", "FAILED", "NOT ASKED"]

    private static func line(_ row: ProviderRow) -> [String] {
        [
            row.name, row.dialect, row.destination.isEmpty ? "-" : row.destination,
            row.serves.isEmpty ? row.serve : row.serves.joined(separator: " "),
            few(row.models), "\(row.tries)", "\(row.failures)",
            few(row.unavailable),
        ]
    }

    /// The first names; `--json` has all.
    private static func few(_ names: [String]) -> String {
        guard !names.isEmpty else { return "-" }
        return names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
}
