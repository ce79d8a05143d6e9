import ArgumentParser
import BulkheadAdminCLI
import SessionService

/// `spend`.
struct SpendCommand: AsyncParsableCommand {
    static let configuration = command(
        "spend", "Stop and allow what costs money.", example: "spend freeze",
        subcommands: [SpendFreezing.self, SpendUnfreezing.self])
}

/// `spend freeze`.
struct SpendFreezing: AsyncParsableCommand {
    static let configuration = command(
        "freeze", "Refuse every request that would cost, at once; lists of models and health go on.",
        example: "spend freeze --tenant acme")
    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant's; without it everybody's.") var tenant: String?

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "spend.freeze", SpendFreeze(tenant: tenant), as: FrozenReport.self)
        try show(report, shared) { announce($0) }
    }
}

/// `spend unfreeze`.
struct SpendUnfreezing: AsyncParsableCommand {
    static let configuration = command(
        "unfreeze", "Allow it again; a freeze of everybody and those of single tenants are ended each by itself.",
        example: "spend unfreeze")
    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant's; without it that of everybody.") var tenant: String?

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "spend.unfreeze", SpendFreeze(tenant: tenant), as: FrozenReport.self)
        try show(report, shared) { announce($0) }
    }
}

private func announce(_ report: FrozenReport) -> String {
    let everybody = report.everybodySince.map { "nobody may spend, since \(timeText($0))" }
    let tenants = report.tenants.isEmpty ? nil : "frozen tenants: \(report.tenants.joined(separator: ", "))"
    let parts = [everybody, tenants].compactMap(\.self)
    let warning = report.unknownTenant.map { "\n" + unknownTenant($0) } ?? ""
    return (parts.isEmpty ? "everybody may spend" : parts.joined(separator: "; ")) + warning
}
