/// What reports take.
package struct ReportQuery: Codable, Sendable {
    /// How far back, as typed, e.g. `1h`.
    package var since: String
    /// nil: all tenants.
    package var tenant: String?

    /// A query of a tenant, or of all.
    package init(since: String = "1h", tenant: String? = nil) {
        self.since = since
        self.tenant = tenant
    }
}

/// Quantiles in milliseconds, each at most 3.2 % off; nil when nothing was measured.
package struct LatencyReport: Codable, Sendable, Equatable {
    package var p50: Double?
    package var p95: Double?
    package var p99: Double?

    init(_ histogram: LatencyHistogram) {
        func milliseconds(_ share: Double) -> Double? { histogram.quantile(share).map { ($0 / 10).rounded() / 100 } }
        (p50, p95, p99) = (milliseconds(0.5), milliseconds(0.95), milliseconds(0.99))
    }
}

/// Sums over requests as reports give them.
package struct UsageReport: Codable, Sendable {
    package var provider: String?
    package var model: String?
    package var tenant: String?
    package var requests: Int
    package var errors: Int
    package var cacheHits: Int
    /// Requests with tokens whose price is not known: what they cost is not in `costUSD`, which is the least it can have been.
    package var unpriced: Int
    package var inputTokens: Int
    package var outputTokens: Int
    /// Nil when no request's price is known.
    package var costUSD: Double?
    package var latencyMilliseconds: LatencyReport
    package var firstTokenMilliseconds: LatencyReport

    init(_ sums: RollupSums, provider: String? = nil, model: String? = nil, tenant: String? = nil) {
        self.provider = provider
        self.model = model
        self.tenant = tenant
        requests = sums.requests
        errors = sums.errors
        cacheHits = sums.cacheHits
        unpriced = sums.unpriced
        inputTokens = sums.inputTokens
        outputTokens = sums.outputTokens
        costUSD = sums.unpriced > 0 && sums.costNanousd == 0 ? nil : Double(sums.costNanousd) / 1e9
        latencyMilliseconds = LatencyReport(sums.latency)
        firstTokenMilliseconds = LatencyReport(sums.firstToken)
    }
}

/// What `stats` and `costs` give.
package struct StatsReport: Codable, Sendable {
    /// Seconds since 1970; the minute it falls in is counted whole.
    package var since: Int
    package var requests: Int
    package var total: UsageReport
    /// By provider and model, most requests first; cost first for `costs`.
    package var models: [UsageReport]
    /// By tenant, most expensive first; `costs` only.
    package var tenants: [UsageReport]?
}

/// Failed requests of one kind.
package struct ErrorReport: Codable, Sendable {
    package var status: Int
    package var code: String
    package var provider: String
    package var model: String
    package var count: Int
    /// Milliseconds since 1970.
    package var lastAt: Int
    /// One of them, for `trace`.
    package var requestID: String
}

/// What a model was charged at.
package struct PriceReport: Codable, Sendable {
    package var provider: String
    package var model: String
    package var requests: Int
    /// Requests with tokens whose price is not known.
    package var unpriced: Int
    /// US dollars per million tokens, input and output together; nil when no request had a price.
    package var usdPerMillionTokens: Double?
}

/// Names a request or a trace.
package struct TraceQuery: Codable, Sendable {
    package var id: String

    /// A request id or a trace id.
    package init(id: String) { self.id = id }
}

/// What `trace` gives: one span a request.
package struct TraceReport: Codable, Sendable {
    package var spans: [Span]

    /// One request.
    package struct Span: Codable, Sendable {
        package var spanID: String
        package var traceID: String
        package var requestID: String
        package var service: String
        /// Nanoseconds since 1970.
        package var startedUnixNS: Int
        package var durationUS: Int
        package var firstTokenUS: Int?
        package var overheadUS: Int?
        package var tenant: String
        package var user: String
        package var keyID: String
        package var route: String
        package var alias: String
        package var provider: String
        package var model: String
        package var status: Int
        package var errorCode: String
        package var cache: String
        package var streamed: Bool
        package var attempts: Int
        package var inputTokens: Int
        package var outputTokens: Int
        package var costUSD: Double?
        package var degraded: [String]
        /// It ran again although an earlier run of it may have been billed.
        package var possibleDuplicate: Bool

        private enum CodingKeys: String, CodingKey {
            case service, tenant, user, route, alias, provider, model, status, cache, streamed, attempts, degraded
            case spanID = "span_id"
            case traceID = "trace_id"
            case requestID = "request_id"
            case startedUnixNS = "started_unix_ns"
            case durationUS = "duration_us"
            case firstTokenUS = "first_token_us"
            case overheadUS = "overhead_us"
            case keyID = "key_id"
            case errorCode = "error_code"
            case inputTokens = "input_tokens"
            case outputTokens = "output_tokens"
            case costUSD = "cost_usd"
            case possibleDuplicate = "possible_duplicate"
        }
    }
}
