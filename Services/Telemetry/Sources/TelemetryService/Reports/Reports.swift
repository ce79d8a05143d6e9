import BulkheadCore
import GRDB

/// Answers the operator's questions from the stored rows.
package struct Reports: Sendable {
    /// Groups and spans of one answer.
    static let rowLimit = 1000

    private let store: TelemetryStore
    private let now: @Sendable () -> Int64

    /// - Parameter now: milliseconds since 1970.
    package init(store: TelemetryStore, now: @escaping @Sendable () -> Int64) {
        self.store = store
        self.now = now
    }

    /// Sums in all and by model.
    package func stats(_ query: ReportQuery) async throws -> StatsReport {
        let (since, groups) = try await usage(query)
        return Self.report(since, groups) { $0.requests > $1.requests }
    }

    /// Sums by model and by tenant, most expensive first.
    package func costs(_ query: ReportQuery) async throws -> StatsReport {
        let (since, groups) = try await usage(query)
        var report = Self.report(since, groups) { ($0.costUSD ?? 0, $0.requests) > ($1.costUSD ?? 0, $1.requests) }
        report.tenants = Self.grouped(groups, by: \.tenant)
            .map { UsageReport($0.value, tenant: $0.key) }
            .sorted { ($0.costUSD ?? 0, $0.requests) > ($1.costUSD ?? 0, $1.requests) }
        return report
    }

    /// What models were charged at, in the order of their names.
    package func prices(_ query: ReportQuery) async throws -> [PriceReport] {
        try await stats(query).models.map { usage in
            let tokens = usage.inputTokens + usage.outputTokens
            // A mean over tokens of which some have no price would be too low.
            let cost = usage.unpriced == 0 && tokens > 0 ? usage.costUSD : nil
            return PriceReport(
                provider: usage.provider ?? "", model: usage.model ?? "", requests: usage.requests, unpriced: usage.unpriced,
                usdPerMillionTokens: cost.map { $0 * 1e6 / Double(tokens) })
        }
        .filter { !$0.model.isEmpty }
        .sorted { ($0.provider, $0.model) < ($1.provider, $1.model) }
    }

    /// Failed requests by status, code and model, most frequent first.
    package func errors(_ query: ReportQuery) async throws -> [ErrorReport] {
        let since = try start(query.since)
        let tenant = query.tenant
        return try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT status, error_code, provider, model, count(*) AS count, max(started_ns) AS last, request_id FROM event
                    WHERE started_ns >= ? AND (? IS NULL OR tenant = ?) AND status >= 400 AND status != 499
                    GROUP BY status, error_code, provider, model ORDER BY count DESC LIMIT ?
                    """,
                arguments: [since * 1_000_000_000, tenant, tenant, Self.rowLimit]
            ).map { row in
                ErrorReport(
                    status: row["status"], code: row["error_code"], provider: row["provider"], model: row["model"],
                    count: row["count"], lastAt: (row["last"] as Int) / 1_000_000, requestID: row["request_id"])
            }
        }
    }

    /// The requests with this request id, or of this trace, in order of time.
    /// - Throws: NOT_FOUND.
    package func trace(_ query: TraceQuery) async throws -> TraceReport {
        let id = query.id
        let spans = try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM event WHERE request_id = ? OR trace_id = ? ORDER BY started_ns, id LIMIT ?",
                arguments: [id, id, Self.rowLimit]
            ).map(Self.span)
        }
        guard !spans.isEmpty else {
            throw CallError(
                .notFound, reason: "trace_not_found",
                message:
                    "no request and no trace is known by \"\(id.prefix(64))\"; a request shows up about a second after its end")
        }
        return TraceReport(spans: spans)
    }

    private struct Group: Sendable {
        var tenant: String
        var provider: String
        var model: String
        var sums: RollupSums
    }

    private func usage(_ query: ReportQuery) async throws -> (since: Int, groups: [Group]) {
        let since = try start(query.since)
        let tenant = query.tenant
        let groups = try await read { db in
            var groups: [[String]: Group] = [:]
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT tenant, provider, model, \(RollupTable.sums) FROM rollup_minute
                    WHERE minute >= ? AND (? IS NULL OR tenant = ?)
                    """,
                arguments: [since / 60, tenant, tenant])
            while let row = try rows.next() {
                let group = Group(tenant: row["tenant"], provider: row["provider"], model: row["model"], sums: RollupSums())
                groups[[group.tenant, group.provider, group.model], default: group].sums.add(RollupTable.read(row))
            }
            return Array(groups.values)
        }
        return (since, groups)
    }

    private static func report(
        _ since: Int, _ groups: [Group], by order: (UsageReport, UsageReport) -> Bool
    ) -> StatsReport {
        var total = RollupSums()
        for group in groups { total.add(group.sums) }
        let models = grouped(groups) { [$0.provider, $0.model] }
            .map { UsageReport($0.value, provider: $0.key[0], model: $0.key[1]) }
            .sorted(by: order)
        return StatsReport(
            since: since, requests: total.requests, total: UsageReport(total), models: Array(models.prefix(rowLimit)))
    }

    private static func grouped<Key: Hashable>(_ groups: [Group], by key: (Group) -> Key) -> [Key: RollupSums] {
        groups.reduce(into: [:]) { sums, group in sums[key(group), default: RollupSums()].add(group.sums) }
    }

    /// Seconds since 1970 at which the query begins.
    func start(_ text: String) throws -> Int {
        let factors: [(unit: String, seconds: Int)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard digits.count <= 9, let number = Int(digits), number > 0,
            let factor = factors.first(where: { $0.unit == text.dropFirst(digits.count) })?.seconds
        else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "--since is \"\(text.prefix(40))\"; expected a duration such as 15m, 1h or 7d")
        }
        return max(0, Int(now() / 1000) - number * factor)
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await store.write(body)
        } catch let error as DatabaseError {
            throw CallError(
                .unavailable, reason: "store_unavailable",
                message: "telemetry's store failed: \(error.message ?? "\(error.resultCode)")")
        }
    }

    private static func span(_ row: Row) -> TraceReport.Span {
        let degraded: String = row["degraded"]
        let cost: Int? = row["cost_nanousd"]
        return TraceReport.Span(
            spanID: row["span_id"], traceID: row["trace_id"], requestID: row["request_id"], service: row["producer"],
            startedUnixNS: row["started_ns"], durationUS: row["duration_us"], firstTokenUS: row["first_token_us"],
            overheadUS: row["overhead_us"], tenant: row["tenant"], user: row["user"], keyID: row["key_id"], route: row["route"],
            alias: row["alias"], provider: row["provider"], model: row["model"], status: row["status"],
            errorCode: row["error_code"], cache: row["cache"], streamed: row["streamed"], attempts: row["attempts"],
            inputTokens: row["input_tokens"], outputTokens: row["output_tokens"], costUSD: cost.map { Double($0) / 1e9 },
            degraded: degraded.split(separator: ",").map(String.init), possibleDuplicate: row["possible_duplicate"])
    }
}
