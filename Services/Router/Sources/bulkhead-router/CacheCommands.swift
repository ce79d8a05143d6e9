import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct Cache: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Looks at the answer cache, or empties it.",
        discussion: "Example:\n  bulkhead-router cache stats", subcommands: [CacheStats.self, CachePurge.self])
}

struct CacheStats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows how full the cache is and how often it answered.",
        discussion: "Example:\n  bulkhead-router cache stats --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke("cache.stats", NoValue(), as: CacheStatistics.self)
        try show(told, shared) { stats in
            table([
                ["ENTRIES", "BYTES", "HITS", "MISSES", "STORED", "EVICTED", "EXPIRED"],
                [stats.entries, stats.bytes, stats.hits, stats.misses, stats.stored, stats.evicted, stats.expired].map {
                    "\($0)"
                },
            ])
        }
    }
}

struct CachePurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Forgets all cached answers.", discussion: "Example:\n  bulkhead-router cache purge")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke("cache.purge", NoValue(), as: PurgedCache.self)
        try show(told, shared) { "forgot \($0.purged) answers" }
    }
}
