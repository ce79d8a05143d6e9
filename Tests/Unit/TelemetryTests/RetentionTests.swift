import BulkheadConfig
import GRDB
import TelemetryService
import Testing

@Suite("Retention and configuration")
struct RetentionTests {
    @Test("Events go after their time, sums after theirs, in small steps; the cursor stays")
    func retention() async throws {
        let bench = try TelemetryBench()
        let events = (0 ..< 1800).map { TelemetryBench.event($0) }
        try await bench.send(events, first: 1)
        let retention = Retention(events: .seconds(600), rollups: .seconds(1200))
        var (deleted, steps) = (0, 0)
        while true {
            let step = try await retention.step(bench.store, now: TelemetryBench.start)
            (deleted, steps) = (deleted + step.deleted, steps + 1)
            if !step.more { break }
        }
        #expect(steps >= 3)
        let left = try await bench.store.write { db in
            (
                try Int.fetchOne(db, sql: "SELECT count(*) FROM event") ?? 0,
                try Int.fetchOne(db, sql: "SELECT min(minute) FROM rollup_minute") ?? 0
            )
        }
        #expect(left.0 == 601)
        #expect(left.1 == Int(TelemetryBench.start) / 60_000 - 20)
        #expect(try await bench.send(events, first: 1).acknowledged == 1800)
        #expect(try await bench.store.write { try Int.fetchOne($0, sql: "SELECT count(*) FROM event") } == 601)
    }

    @Test("Every documented key is read, and defaults are those documented")
    func configuration() throws {
        let text = """
            telemetry:
              retention: { spans: 1d, rollups: 30d }
              content_capture: off
              otlp_export: { destination: collector }
              alerts: { latency_p95: 5s, error_rate: 0.05, cost_per_day_usd: 100, webhook_destination: pager }
            """
        let read = try loadConfiguration(TelemetryConfiguration.self, text: text, file: "bulkhead.yaml").service
        #expect(read.spanRetention == .seconds(86_400) && read.exportDestination == "collector")
        #expect(read.alerts.errorRate == 0.05 && read.alerts.webhookDestination == "pager")
        let unset = try loadConfiguration(TelemetryConfiguration.self, text: "suite: {}\n", file: "bulkhead.yaml").service
        #expect(unset.spanRetention == .seconds(14 * 86_400) && unset.rollupRetention == .seconds(400 * 86_400))
        #expect(unset.contentCapture == .off && unset.exportDestination == nil)
    }
}
