import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct Cache: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Looks at the answer cache, or empties it.",
        discussion: "Example:\n  bulkhead-router cache stats",
        subcommands: [CacheStats.self, CachePurge.self, CacheExplain.self])
}

struct CacheStats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows how full the cache is, how often it answered and what that saved.",
        discussion: "Example:\n  bulkhead-router cache stats --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke("cache.stats", NoValue(), as: CacheReport.self)
        try show(told, shared, text: Self.text)
    }

    private static func text(_ report: CacheReport) -> String {
        let rate = report.hitRate.map { "\(Int(($0 * 100).rounded())) %" } ?? "-"
        let rows = report.stores.map { store in
            [store.store, number(store.entries), number(store.bytes)]
                + [store.hits, store.misses, store.stored, store.evicted, store.expired, store.damaged].map { "\($0)" }
                + [store.failures.map { "\($0.key) \($0.value)" }.sorted().joined(separator: ", ")]
        }
        return """
            \(table([
                ["WHEN", "HITS", "MISSES", "RATE", "COALESCED", "STALE", "SAVED USD", "WAITING", "REDIS"],
                [
                    report.when, "\(report.hits)", "\(report.misses)", rate, "\(report.coalesced)", "\(report.staleServed)",
                    "\(report.savedUSD)", "\(report.waiting)", report.redisIsReady.map { $0 ? "ready" : "away" } ?? "-",
                ],
            ]))

            \(table([["STORE", "ENTRIES", "BYTES", "HITS", "MISSES", "STORED", "EVICTED", "EXPIRED", "DAMAGED", "FAILURES"]] + rows))
            """
    }

    private static func number(_ value: Int?) -> String { value.map { "\($0)" } ?? "-" }
}

struct CachePurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Forgets the cached answers of a tenant, or all.",
        discussion: "Example:\n  bulkhead-router cache purge --tenant acme")

    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant's answers.") var tenant: String?

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke(
            "cache.purge", PurgeArguments(tenant: tenant), as: PurgedCache.self)
        try show(told, shared) { "forgot \($0.purged) answers" }
    }
}
