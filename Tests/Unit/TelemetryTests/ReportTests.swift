import BulkheadAPI
import BulkheadCore
import GRDB
import TelemetryService
import Testing

@Suite("Reports")
struct ReportTests {
    private let events: [TelemetryAPI.RequestEvent] = (0 ..< 600).map { number in
        TelemetryBench.event(
            number, tenant: number % 3 == 0 ? "acme" : "other", model: number % 2 == 0 ? "gpt" : "claude",
            status: number % 10 == 0 ? 502 : number % 11 == 0 ? 499 : 200, duration: 100 + number * number)
    }

    private func filled() async throws -> TelemetryBench {
        let bench = try TelemetryBench()
        for batch in 0 ..< 6 { try await bench.send(Array(events[batch * 100 ..< batch * 100 + 100]), first: batch * 100 + 1) }
        return bench
    }

    @Test("Sums equal those of the events, in all, by model and by tenant", arguments: [nil, "acme", "other", "nobody"])
    func sums(tenant: String?) async throws {
        let bench = try await filled()
        let report = try await bench.reports().costs(ReportQuery(since: "1h", tenant: tenant))
        let meant = events.filter { tenant == nil || $0.tenant == tenant }
        #expect(report.requests == meant.count)
        check(report.total, meant)
        #expect(Set(report.models.map(\.model)) == Set(meant.map(\.model)))
        for usage in report.models { check(usage, meant.filter { $0.model == usage.model }) }
        for usage in report.tenants ?? [] { check(usage, meant.filter { $0.tenant == usage.tenant }) }
    }

    private func check(_ usage: UsageReport, _ meant: [TelemetryAPI.RequestEvent]) {
        #expect(usage.requests == meant.count)
        #expect(usage.errors == meant.count { $0.status == 502 })
        #expect(usage.cacheHits == meant.count { $0.cache == "exact" })
        #expect(usage.unpriced == meant.count { $0.costNanousd == nil })
        #expect(usage.inputTokens == meant.reduce(0) { $0 + $1.inputTokens })
        #expect(usage.outputTokens == meant.reduce(0) { $0 + $1.outputTokens })
        let cost = meant.reduce(0) { $0 + ($1.costNanousd ?? 0) }
        #expect(usage.costUSD == (cost == 0 && usage.unpriced > 0 ? nil : Double(cost) / 1e9))
        let durations = meant.map(\.durationUS).sorted()
        for (share, found) in [(0.5, usage.latencyMilliseconds.p50), (0.99, usage.latencyMilliseconds.p99)] where !meant.isEmpty {
            let exact = Double(durations[Int((Double(durations.count) * share).rounded(.up)) - 1]) / 1000
            #expect(abs((found ?? 0) - exact) <= exact * 0.032 + 0.01)
        }
    }

    @Test("What lies before the asked time is not counted")
    func since() async throws {
        let bench = try await filled()
        // Two minutes back, and the minute of the start itself.
        #expect(try await bench.reports().stats(ReportQuery(since: "2m")).requests == 121)
        #expect(try await bench.reports(at: TelemetryBench.start + 3_600_000).stats(ReportQuery(since: "1m")).requests == 0)
    }

    @Test("A duration that is none is refused", arguments: ["", "1", "h", "-1h", "1w", "9999999999h"])
    func badSince(text: String) async throws {
        let bench = try TelemetryBench()
        let error = await #expect(throws: CallError.self) { _ = try await bench.reports().stats(ReportQuery(since: text)) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("Errors are grouped, most frequent first; a caller that left is none")
    func errors() async throws {
        let bench = try await filled()
        let errors = try await bench.reports().errors(ReportQuery())
        #expect(errors.map(\.status) == [502] && errors.map(\.count) == [60])
    }

    @Test("A request is found by its id, and with its companions by the trace")
    func trace() async throws {
        let bench = try await filled()
        #expect(try await bench.reports().trace(TraceQuery(id: "request-7")).spans.map(\.requestID) == ["request-7"])
        let spans = try await bench.reports().trace(TraceQuery(id: "trace-3")).spans
        #expect(spans.map(\.requestID) == ["request-7", "request-6"])
        #expect(Set(spans.map(\.spanID)).count == 2)
        let error = await #expect(throws: CallError.self) { _ = try await bench.reports().trace(TraceQuery(id: "nothing")) }
        #expect(error?.code == .notFound)
    }

    @Test("Names nobody serves do not become rows of their own")
    func cardinality() async throws {
        let bench = try TelemetryBench()
        let unknown = (0 ..< 500).map { number in
            var event = TelemetryBench.event(0, status: 404)
            event.alias = "guess-\(number)"
            event.provider = ""
            event.model = ""
            return event
        }
        try await bench.send(unknown, first: 1)
        #expect(try await bench.store.write { try Int.fetchOne($0, sql: "SELECT count(*) FROM rollup_minute") } == 1)
    }

    @Test("Prices are what was charged per million tokens, and models without a price are told")
    func prices() async throws {
        let bench = try TelemetryBench()
        var free = TelemetryBench.event(1, model: "free")
        free.costNanousd = nil
        try await bench.send([TelemetryBench.event(1, model: "paid"), free], first: 1)
        let prices = try await bench.reports().prices(ReportQuery())
        #expect(prices.map(\.model) == ["free", "paid"])
        #expect(prices.map(\.unpriced) == [1, 0])
        #expect(prices[0].usdPerMillionTokens == nil)
        let costs = try await bench.reports().costs(ReportQuery())
        #expect(costs.models.map(\.costUSD) == [1000e-9, nil], "unknown is not 0")
        #expect(costs.total.unpriced == 1 && costs.total.costUSD == 1000e-9)
        #expect(abs((prices[1].usdPerMillionTokens ?? 0) - 1000e-9 / 30 * 1e6) < 1e-9)
    }
}
