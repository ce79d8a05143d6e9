import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import TelemetryService

/// `stats`.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = command(
        "stats", "Show requests, errors, tokens, cost and latency, in all and by model.",
        example: "stats --since 1h --tenant acme")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var options: ReportOptions

    func run() async throws {
        let report = try await AdminConnection(.telemetry, shared).invoke("stats", options.query, as: StatsReport.self)
        try show(report, shared) { report in
            table([statsHead] + report.models.map(statsRow) + [statsRow(report.total)])
        }
    }
}

private let statsHead = [
    "PROVIDER", "MODEL", "REQUESTS", "ERRORS", "CACHED", "TOKENS IN", "TOKENS OUT", "COST USD", "P50 MS", "P95 MS", "P99 MS",
    "FIRST TOKEN P50 MS",
]

private func statsRow(_ usage: UsageReport) -> [String] {
    [
        usage.provider.map { $0.isEmpty ? "-" : $0 } ?? "all", usage.model.map { $0.isEmpty ? "-" : $0 } ?? "all",
        "\(usage.requests)",
        percent(usage.errors, of: usage.requests), percent(usage.cacheHits, of: usage.requests), "\(usage.inputTokens)",
        "\(usage.outputTokens)", dollars(usage), number(usage.latencyMilliseconds.p50), number(usage.latencyMilliseconds.p95),
        number(usage.latencyMilliseconds.p99), number(usage.firstTokenMilliseconds.p50),
    ]
}

/// `costs`.
struct CostsCommand: AsyncParsableCommand {
    static let configuration = command("costs", "Show what models and tenants cost.", example: "costs --since 7d")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var options: ReportOptions

    func run() async throws {
        let report = try await AdminConnection(.telemetry, shared).invoke("costs", options.query, as: StatsReport.self)
        try show(report, shared) { report in
            let head = ["REQUESTS", "TOKENS IN", "TOKENS OUT", "COST USD"]
            func row(_ usage: UsageReport) -> [String] {
                ["\(usage.requests)", "\(usage.inputTokens)", "\(usage.outputTokens)", dollars(usage)]
            }
            let models = report.models.map { [$0.provider ?? "", $0.model ?? ""].joined(separator: "/") }
            let tenants = report.tenants ?? []
            return table([["MODEL"] + head] + zip(models, report.models).map { [$0] + row($1) } + [["all"] + row(report.total)])
                + "\n\n" + table([["TENANT"] + head] + tenants.map { [$0.tenant ?? ""] + row($0) })
        }
    }
}

/// `errors`.
struct ErrorsCommand: AsyncParsableCommand {
    static let configuration = command(
        "errors", "Show failed requests by kind, most frequent first.", example: "errors --since 1d")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var options: ReportOptions

    func run() async throws {
        let errors = try await AdminConnection(.telemetry, shared).invoke("errors", options.query, as: [ErrorReport].self)
        try show(errors, shared) { errors in
            table(
                [["STATUS", "CODE", "PROVIDER", "MODEL", "COUNT", "LAST", "REQUEST"]]
                    + errors.map { error in
                        [
                            "\(error.status)", orDash(error.code), orDash(error.provider), orDash(error.model), "\(error.count)",
                            timeText(seconds: error.lastAt / 1000), error.requestID,
                        ]
                    })
        }
    }
}

/// `prices`.
struct PricesCommand: AsyncParsableCommand {
    static let configuration = command(
        "prices", "Show what models were charged at, and which have no known price.", example: "prices --since 7d")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var options: ReportOptions

    func run() async throws {
        let prices = try await AdminConnection(.telemetry, shared).invoke("prices", options.query, as: [PriceReport].self)
        try show(prices, shared) { prices in
            table(
                [["PROVIDER", "MODEL", "REQUESTS", "WITHOUT PRICE", "USD PER MILLION TOKENS"]]
                    + prices.map { [$0.provider, $0.model, "\($0.requests)", "\($0.unpriced)", number($0.usdPerMillionTokens)] })
        }
    }
}

/// `trace`.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = command(
        "trace", "Show a request by its request id, or all requests of a trace.",
        example: "trace 4bf92f3577b34da6a3ce929d0e0e4736")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "x-request-id or x-bulkhead-trace-id of an answer.") var id: String

    func run() async throws {
        let trace = try await AdminConnection(.telemetry, shared).invoke("trace", TraceQuery(id: id), as: TraceReport.self)
        try show(trace, shared) { $0.spans.map(describe).joined(separator: "\n\n") }
    }
}

private func describe(_ span: TraceReport.Span) -> String {
    table([
        ["request", span.requestID], ["trace", span.traceID], ["began", timeText(seconds: span.startedUnixNS / 1_000_000_000)],
        ["took", "\(number(Double(span.durationUS) / 1000)) ms"],
        ["first token", span.firstTokenUS.map { "\(number(Double($0) / 1000)) ms" } ?? "-"],
        ["our share", span.overheadUS.map { "\(number(Double($0) / 1000)) ms" } ?? "-"],
        ["status", span.errorCode.isEmpty ? "\(span.status)" : "\(span.status) \(span.errorCode)"], ["route", span.route],
        ["tenant", orDash(span.tenant)], ["user", orDash(span.user)], ["key", orDash(span.keyID)],
        ["model asked for", orDash(span.alias)], ["served by", "\(orDash(span.provider))/\(orDash(span.model))"],
        ["cache", orDash(span.cache)], ["streamed", span.streamed ? "yes" : "no"], ["attempts", "\(span.attempts)"],
        ["tokens", "\(span.inputTokens) in, \(span.outputTokens) out"],
        ["cost", span.costUSD.map { "\($0) USD" } ?? "unknown"], ["degraded", orDash(span.degraded.joined(separator: ", "))],
        ["possible duplicate", span.possibleDuplicate ? "yes" : "no"],
    ])
}
