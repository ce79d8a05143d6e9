import BulkheadCore
import BulkheadObservability
import BulkheadStore
import SessionService
import Testing

@Suite("Times of statements")
struct StatementLogTests {
    @Test("Runs are counted by name, quantiles are at most 12 % too high, sums and the longest exact")
    func times() throws {
        let log = StatementLog()
        for milliseconds in 1 ... 100 {
            log.record(StatementOutcome(name: "a.b", took: .milliseconds(milliseconds), rows: 2))
        }
        log.record(StatementOutcome(name: "c.d", took: .microseconds(7), rows: 0))
        let report = log.report
        #expect(report.statements.map(\.name) == ["a.b", "c.d"], "what took most together comes first")
        let line = try #require(report.statements.first)
        #expect(line.count == 100 && line.rows == 200 && line.maxMilliseconds == 100 && line.totalMilliseconds == 5050)
        #expect((50 ... 57).contains(line.p50Milliseconds) && (99 ... 100).contains(line.p99Milliseconds))
    }

    @Test("Slow runs are remembered with name, time, rows and moment, newest first, the last 100 of them")
    func slow() {
        let log = StatementLog(clock: { 1_800_000_000_000 })
        log.record(StatementOutcome(name: "quick", took: .milliseconds(99), rows: 1))
        for index in 0 ..< 150 { log.record(StatementOutcome(name: "s\(index)", took: .milliseconds(100 + index), rows: index)) }
        let report = log.report
        #expect(report.slowRuns == 150 && report.slow.count == 100)
        let (newest, oldest) = (report.slow.first, report.slow.last)
        #expect(newest?.name == "s149" && newest?.milliseconds == 249 && newest?.rows == 149)
        #expect(newest?.endedAt == 1_800_000_000_000 && oldest?.name == "s50")
    }

    @Test("Names are bounded: later ones count under one")
    func bounded() {
        let log = StatementLog()
        for index in 0 ..< 1000 { log.record(StatementOutcome(name: "n\(index)", took: .milliseconds(1), rows: 0)) }
        #expect(log.times.count == 257 && log.times["other"]?.count == 744)
    }

    @Test("A store tells each of its statements, and nothing of their values")
    func observed() async throws {
        let folder = try TemporaryFolder()
        let log = StatementLog()
        let store = try SQLiteStore.open(
            path: folder.store, schema: SessionSchema.all, observer: StoreObserver(ran: { log.record($0) }))
        for index in 0 ..< 3 { try await store.transact { try Blob.put(index, bytes: 10, $0) } }
        _ = try await Blob.count(store)
        #expect(log.times["test.blob"]?.count == 3 && log.times["test.blob"]?.rows == 3)
        #expect(log.times["test.blobs"]?.count == 1 && log.times.count == 2)
    }

    @Test("A histogram of metrics takes over what another counted")
    func metrics() {
        let registry = MetricsRegistry(service: "session")
        let timing = registry.timing("t", help: "Times.")
        for _ in 0 ..< 2 { timing.replace(with: [(upTo: 90, count: 3), (upTo: 40_000, count: 1)], microseconds: 31_000) }
        let text = registry.render()
        #expect(text.contains(#"le="0.0001"} 3"#) && text.contains(#"le="0.05"} 4"#) && text.contains(#"le="+Inf"} 4"#))
        #expect(text.contains("bulkhead_t_seconds_sum{service=\"session\"} 0.031"))
    }
}
