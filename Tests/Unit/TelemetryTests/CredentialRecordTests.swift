import BulkheadAPI
import BulkheadCore
import GRDB
import TelemetryService
import Testing

private func record(_ seq: Int, event: String = "call", decision: String = "allow", secret: String = "A_KEY")
    -> TelemetryAPI.CredentialRecord
{
    TelemetryAPI.CredentialRecord(
        seq: seq, atUnixMS: Int(TelemetryBench.start) - seq * 1000, event: event, decision: decision, peer: "router",
        destination: "d\(seq % 2)", secret: secret, method: "POST", requestID: "r\(seq)", tenant: "acme")
}

extension TelemetryBench {
    fileprivate func send(
        _ records: [TelemetryAPI.CredentialRecord], first: Int, events: [TelemetryAPI.RequestEvent] = [], firstEvent: Int = 1,
        producer: String = "credentials"
    ) async throws -> TelemetryAPI.IngestReply {
        try await ingest.take(
            TelemetryAPI.IngestRequest(
                producer: producer, instance: "run-1", firstSequence: firstEvent, events: events, credentials: records,
                firstCredential: first),
            producer: producer, now: Self.start)
    }
}

@Suite("Audit records of credentials")
struct CredentialRecordTests {
    @Test("Every record is stored once, however batches overlap and stores are opened again", arguments: 0 ..< 5)
    func exactlyOnce(seed: Int) async throws {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        var bench = try TelemetryBench()
        var acknowledged = 0
        while acknowledged < 200 {
            let from = max(0, acknowledged - Int(random.next() % 20))
            let count = min(200 - from, 1 + Int(random.next() % 40))
            let reply = try await bench.send((from ..< from + count).map { record($0 + 1) }, first: from + 1)
            #expect(reply.acknowledgedCredentials == max(acknowledged, from + count) && reply.acknowledged == 0)
            acknowledged = reply.acknowledgedCredentials
            if random.next() % 4 == 0 { bench = try TelemetryBench(folder: bench.folder) }
        }
        let report = try await bench.reports().credentials(CredentialQuery())
        #expect(report.total == 200 && report.records.map(\.seq).sorted() == Array(1 ... 200))
    }

    @Test("Events and records of one batch have numbers of their own")
    func together() async throws {
        let bench = try TelemetryBench()
        _ = try await bench.send([record(1)], first: 1)
        let reply = try await bench.send([record(1), record(2)], first: 1, events: [TelemetryBench.event(1)])
        #expect(reply.acknowledged == 1 && reply.acknowledgedCredentials == 2)
        #expect(try await bench.reports().stats(ReportQuery()).requests == 1)
        #expect(try await bench.reports().credentials(CredentialQuery()).total == 2)
    }

    @Test("Nobody but credentials can tell of decisions", arguments: ["edge", "router", "session"])
    func others(producer: String) async throws {
        let bench = try TelemetryBench()
        let error = await #expect(throws: CallError.self) { try await bench.send([record(1)], first: 1, producer: producer) }
        #expect(error?.code == .invalidArgument)
        #expect(try await bench.reports().credentials(CredentialQuery()).total == 0)
    }

    @Test("Records are found by time, destination, secret and decision")
    func found() async throws {
        let bench = try TelemetryBench()
        let records = [record(1), record(2, decision: "deny"), record(3, secret: "B_KEY"), record(7200)]
        _ = try await bench.send(records, first: 1)
        func seqs(_ query: CredentialQuery) async throws -> [Int] {
            try await bench.reports().credentials(query).records.map(\.seq)
        }
        #expect(try await seqs(CredentialQuery()) == [3, 2, 1], "oldest first")
        #expect(try await seqs(CredentialQuery(since: "3h", destination: "d0")) == [7200, 2])
        #expect(try await seqs(CredentialQuery(secret: "B_KEY")) == [3])
        #expect(try await seqs(CredentialQuery(decision: "deny")) == [2])
        await #expect(throws: CallError.self) { try await seqs(CredentialQuery(since: "yesterday")) }
    }

    @Test("Records are kept as long as single events")
    func retention() async throws {
        let bench = try TelemetryBench()
        _ = try await bench.send((1 ... 1800).map { record($0) }, first: 1)
        let retention = Retention(events: .seconds(600), rollups: .seconds(1200))
        while try await retention.step(bench.store, now: TelemetryBench.start).more {}
        #expect(try await bench.reports().credentials(CredentialQuery(since: "1d")).total == 600)
    }

    @Test("Hostile records neither trap nor fill the store")
    func hostile() async throws {
        let bench = try TelemetryBench()
        var bad = record(1)
        (bad.seq, bad.status, bad.redactions) = (.min, .max, .min)
        bad.reason = String(repeating: "é", count: 100_000)
        #expect(try await bench.send([bad], first: 1).acknowledgedCredentials == 1)
        let kept = try #require(try await bench.reports().credentials(CredentialQuery()).records.first)
        #expect(kept.seq == 0 && kept.status == 0 && kept.redactions == 0 && kept.reason.utf8.count <= 260)
    }
}
