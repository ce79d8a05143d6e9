import BulkheadAPI
import Foundation
import GRDB

/// What requests of one minute are summed by. Users are not among it: crossed with models they would be too many rows.
struct RollupKey: Hashable, Sendable {
    /// Minutes since 1970.
    var minute: Int
    var tenant: String
    var alias: String
    var provider: String
    var model: String
    var route: String
    /// The hundreds of the HTTP status.
    var statusClass: Int

    init(_ event: TelemetryAPI.RequestEvent) {
        minute = event.startedUnixNS / 60_000_000_000
        tenant = event.tenant
        // A name nobody serves is any text a client sends: such names would be rows without bound.
        alias = event.provider.isEmpty ? "" : event.alias
        provider = event.provider
        model = event.model
        route = event.route
        statusClass = event.status / 100
    }
}

/// Sums over requests.
package struct RollupSums: Sendable, Equatable {
    package var requests = 0
    package var errors = 0
    package var cacheHits = 0
    /// Requests with tokens whose price is not known.
    package var unpriced = 0
    package var inputTokens = 0
    package var outputTokens = 0
    /// Billionths of a US dollar.
    package var costNanousd = 0
    package var durationUS = 0
    package var latency = LatencyHistogram()
    package var firstToken = LatencyHistogram()

    /// Nothing summed.
    package init() {}

    /// Adds one request.
    mutating func add(_ event: TelemetryAPI.RequestEvent) {
        requests += 1
        if EventRules.isError(event.status) { errors += 1 }
        if EventRules.isCacheHit(event.cache) { cacheHits += 1 }
        if event.costNanousd == nil, event.inputTokens + event.outputTokens > 0 { unpriced += 1 }
        inputTokens += event.inputTokens
        outputTokens += event.outputTokens
        costNanousd += event.costNanousd ?? 0
        durationUS += event.durationUS
        latency.record(event.durationUS)
        if let firstTokenUS = event.firstTokenUS { firstToken.record(firstTokenUS) }
    }

    /// Adds other sums.
    package mutating func add(_ other: RollupSums) {
        requests += other.requests
        errors += other.errors
        cacheHits += other.cacheHits
        unpriced += other.unpriced
        inputTokens += other.inputTokens
        outputTokens += other.outputTokens
        costNanousd += other.costNanousd
        durationUS += other.durationUS
        latency.merge(other.latency)
        firstToken.merge(other.firstToken)
    }
}

/// The rows of `rollup_minute`.
enum RollupTable {
    static let sums = """
        requests, errors, cache_hits, unpriced, input_tokens, output_tokens, cost_nanousd, duration_us, latency, first_token
        """

    /// Adds `sums` to the row of `key`.
    static func add(_ sums: RollupSums, to key: RollupKey, _ db: Database) throws {
        let select = try db.cachedStatement(
            sql: """
                SELECT \(Self.sums) FROM rollup_minute WHERE minute = ? AND tenant = ? AND alias = ? AND provider = ?
                    AND model = ? AND route = ? AND status_class = ?
                """)
        let place: StatementArguments = [key.minute, key.tenant, key.alias, key.provider, key.model, key.route, key.statusClass]
        var total = try Row.fetchOne(select, arguments: place).map(read) ?? RollupSums()
        total.add(sums)
        let replace = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO rollup_minute (minute, tenant, alias, provider, model, route, status_class, \(Self.sums))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        try replace.execute(
            arguments: place + [
                total.requests, total.errors, total.cacheHits, total.unpriced, total.inputTokens, total.outputTokens,
                total.costNanousd, total.durationUS, total.latency.encoded, total.firstToken.encoded,
            ])
    }

    /// The sums of a row that selects `sums`.
    static func read(_ row: Row) -> RollupSums {
        var sums = RollupSums()
        sums.requests = row["requests"]
        sums.errors = row["errors"]
        sums.cacheHits = row["cache_hits"]
        sums.unpriced = row["unpriced"]
        sums.inputTokens = row["input_tokens"]
        sums.outputTokens = row["output_tokens"]
        sums.costNanousd = row["cost_nanousd"]
        sums.durationUS = row["duration_us"]
        sums.latency = LatencyHistogram(encoded: row["latency"]) ?? LatencyHistogram()
        sums.firstToken = LatencyHistogram(encoded: row["first_token"]) ?? LatencyHistogram()
        return sums
    }
}
