import BulkheadAPI
import Foundation
import GRDB
import TelemetryService

/// Telemetry without sockets, on a real SQLite file.
struct TelemetryBench {
    let folder: TemporaryFolder
    let store: TelemetryStore
    let ingest: Ingest

    /// 2027-01-15T08:00:00Z, a whole minute.
    static let start: Int64 = 1_800_000_000_000

    /// - Parameter folder: of an earlier bench, to open its file again; nil: a new one.
    init(folder: TemporaryFolder? = nil) throws {
        self.folder = try folder ?? TemporaryFolder()
        store = try TelemetryStore.open(path: self.folder.path + "/telemetry.sqlite")
        ingest = Ingest(store: store, metrics: TelemetryMetrics())
    }

    func reports(at milliseconds: Int64 = start) -> Reports { Reports(store: store, now: { milliseconds }) }

    @discardableResult
    func send(
        _ events: [TelemetryAPI.RequestEvent], first: Int, instance: String = "run-1", producer: String = "edge", dropped: Int = 0
    ) async throws -> TelemetryAPI.IngestReply {
        try await ingest.take(
            TelemetryAPI.IngestRequest(
                producer: producer, instance: instance, firstSequence: first, events: events, dropped: dropped),
            producer: producer, now: Self.start)
    }

    /// One request, `number` seconds before the start.
    static func event(
        _ number: Int, tenant: String = "acme", model: String = "gpt", status: Int = 200, duration: Int = 1000
    ) -> TelemetryAPI.RequestEvent {
        TelemetryAPI.RequestEvent(
            startedUnixNS: Int(start) * 1_000_000 - number * 1_000_000_000, durationUS: duration, firstTokenUS: duration / 2,
            requestID: "request-\(number)", traceID: "trace-\(number / 2)", tenant: tenant, route: "/v1/chat/completions",
            alias: "assistant", provider: "oai", model: model, status: status, cache: number % 4 == 0 ? "exact" : "miss",
            attempts: 1, inputTokens: 10, outputTokens: 20, costNanousd: number % 5 == 0 ? nil : 1_000)
    }
}

/// A folder that is deleted when nobody uses it any more.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "bh-telemetry-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A folder that stays behind is no reason to fail.
        try? FileManager.default.removeItem(atPath: path)
    }
}
