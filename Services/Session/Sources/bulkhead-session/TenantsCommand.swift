import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import SessionService

/// `tenants`.
struct TenantsCommand: AsyncParsableCommand {
    static let configuration = command(
        "tenants", "Show, block and unblock tenants.", example: "tenants list",
        subcommands: [TenantsList.self, TenantsBlock.self, TenantsUnblock.self])
}

/// `tenants list`.
struct TenantsList: AsyncParsableCommand {
    static let configuration = command("list", "List tenants with their keys and spend.", example: "tenants list")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let tenants = try await AdminConnection(.session, shared).invoke("tenants.list", NoValue(), as: [TenantReport].self)
        try show(tenants, shared) { tenants in
            table(
                [["TENANT", "STATE", "KEYS", "SPENT", "REASON"]]
                    + tenants.map { [$0.tenant, $0.state, "\($0.keys)", spendText($0.spend), $0.reason ?? "-"] })
        }
    }
}

/// `tenants block`.
struct TenantsBlock: AsyncParsableCommand {
    static let configuration = command(
        "block", "Refuse all requests of a tenant, at once.", example: "tenants block acme --reason \"unpaid since May\"")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The tenant.") var tenant: String
    @Option(help: "Why, for `tenants list` and the log; clients are not told.") var reason: String?

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "tenants.block", TenantBlock(tenant: tenant, reason: reason), as: TenantReport.self)
        try show(report, shared) { announce($0) }
    }
}

/// `tenants unblock`.
struct TenantsUnblock: AsyncParsableCommand {
    static let configuration = command("unblock", "Let a tenant in again.", example: "tenants unblock acme")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The tenant.") var tenant: String

    func run() async throws {
        let report = try await AdminConnection(.session, shared).invoke(
            "tenants.unblock", TenantBlock(tenant: tenant), as: TenantReport.self)
        try show(report, shared) { announce($0) }
    }
}

private func announce(_ report: TenantReport) -> String {
    let isBlocked = report.blockedAt != nil
    let hint = report.keys == 0 ? "; it has no good key: is the name right?" : ""
    return "tenant \(report.tenant) is \(isBlocked ? "blocked" : "not blocked")\(hint)"
}
