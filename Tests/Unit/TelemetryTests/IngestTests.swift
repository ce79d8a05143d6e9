import BulkheadAPI
import BulkheadCore
import GRDB
import TelemetryService
import Testing

@Suite("Ingest")
struct IngestTests {
    private func rows(_ store: TelemetryStore) async throws -> Int {
        try await store.write { try Int.fetchOne($0, sql: "SELECT count(*) FROM event") ?? 0 }
    }

    @Test("A batch is acknowledged up to its last event")
    func acknowledge() async throws {
        let bench = try TelemetryBench()
        let reply = try await bench.send((0 ..< 10).map { TelemetryBench.event($0) }, first: 1)
        #expect(reply.acknowledged == 10 && reply.credit > 0)
        #expect(try await rows(bench.store) == 10)
    }

    @Test("Every event counts once, however batches overlap and are repeated", arguments: 0 ..< 10)
    func exactlyOnce(seed: Int) async throws {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        var bench = try TelemetryBench()
        let events = (0 ..< 200).map { TelemetryBench.event($0) }
        var acknowledged = 0
        while acknowledged < events.count {
            // As a producer does that lost some acknowledgements: it goes on from an earlier event.
            let from = max(0, acknowledged - Int(random.next() % 20))
            let count = min(events.count - from, 1 + Int(random.next() % 40))
            let reply = try await bench.send(Array(events[from ..< from + count]), first: from + 1)
            #expect(reply.acknowledged == max(acknowledged, from + count))
            acknowledged = reply.acknowledged
            if random.next() % 4 == 0 { bench = try TelemetryBench(folder: bench.folder) }
        }
        #expect(try await rows(bench.store) == events.count)
        #expect(try await bench.reports().stats(ReportQuery()).requests == events.count)
    }

    @Test("Another run of the producer, and another producer, have numbers of their own")
    func cursors() async throws {
        let bench = try TelemetryBench()
        for (instance, producer) in [("run-1", "edge"), ("run-2", "edge"), ("run-1", "router")] {
            let reply = try await bench.send([TelemetryBench.event(1)], first: 1, instance: instance, producer: producer)
            #expect(reply.acknowledged == 1)
        }
        #expect(try await rows(bench.store) == 3)
    }

    @Test("A producer that dropped events goes on behind the gap")
    func gap() async throws {
        let bench = try TelemetryBench()
        try await bench.send([TelemetryBench.event(1)], first: 1)
        #expect(try await bench.send([TelemetryBench.event(2)], first: 100, dropped: 98).acknowledged == 100)
        #expect(try await rows(bench.store) == 2)
    }

    @Test("Parallel producers lose nothing")
    func parallel() async throws {
        let bench = try TelemetryBench()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in ["edge", "router", "retrieval", "session", "credentials"] {
                group.addTask {
                    for batch in 0 ..< 10 {
                        let events = (0 ..< 20).map { TelemetryBench.event($0) }
                        try await bench.send(events, first: batch * 20 + 1, producer: producer)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await rows(bench.store) == 1000)
        #expect(try await bench.reports().stats(ReportQuery()).requests == 1000)
    }

    @Test("A batch that cannot be is refused", arguments: [(0, "run"), (-1, "run"), (1 << 61, "run"), (1, "")])
    func invalid(first: Int, instance: String) async throws {
        let bench = try TelemetryBench()
        let error = await #expect(throws: CallError.self) {
            try await bench.send([TelemetryBench.event(1)], first: first, instance: instance)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test("A store that fails leaves the batch with its producer, and takes it later")
    func storeFails() async throws {
        let bench = try TelemetryBench()
        try await bench.store.write { try $0.execute(sql: "ALTER TABLE event RENAME TO hidden") }
        let error = await #expect(throws: CallError.self) { try await bench.send([TelemetryBench.event(1)], first: 1) }
        #expect(error?.code == .resourceExhausted && error?.notProcessed == true)
        try await bench.store.write { try $0.execute(sql: "ALTER TABLE hidden RENAME TO event") }
        try await bench.send([TelemetryBench.event(1)], first: 1)
        #expect(try await rows(bench.store) == 1)
    }

    @Test("Hostile amounts neither trap nor spoil the sums")
    func hostile() async throws {
        let bench = try TelemetryBench()
        var event = TelemetryBench.event(1)
        event.durationUS = .min
        event.inputTokens = .max
        event.costNanousd = -5
        event.status = .max
        event.route = String(repeating: "é", count: 100_000)
        for sequence in 1 ... 3 { try await bench.send([event], first: sequence) }
        let total = try await bench.reports().stats(ReportQuery()).total
        #expect(total.requests == 3 && total.costUSD == 0 && total.inputTokens == 3 << 42)
    }
}

/// Random numbers from a seed.
struct Xorshift {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
