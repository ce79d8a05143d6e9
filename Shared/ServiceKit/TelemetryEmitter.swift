import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import Logging
import NIOCore
import Synchronization

/// Hands request events, and the audit records of credentials, to telemetry without ever waiting for it.
///
/// Both wait in a spool in memory each, in order of their sequence numbers, until telemetry has acknowledged them: they are
/// delivered at least once, and telemetry counts each once by (instance, sequence). When a spool is full the oldest are
/// dropped and counted.
package final class TelemetryEmitter: Sendable {
    private struct Waiting {
        var events = TelemetrySpool<TelemetryAPI.RequestEvent>(capacity: TelemetryEmitter.capacity)
        var records = TelemetrySpool<TelemetryAPI.CredentialRecord>(capacity: TelemetryEmitter.recordCapacity)
        var credit = 1000
    }

    /// Events that wait at most: at 500 requests/s about four minutes.
    package static let capacity = 131_072
    /// Audit records that wait at most: two a call. They stay in the trail, whatever becomes of these.
    package static let recordCapacity = 65_536
    /// A batch is one durable transaction of telemetry's, whatever it holds: one in a quarter of a second costs half of ten.
    private static let interval = Duration.milliseconds(250)
    private static let largestBatch = 1000

    private let waiting = Mutex(Waiting())
    private let link: IPCLink
    private let producer: String
    private let instance: String
    private let eventLoop: any EventLoop
    private let waitingEvents: Gauge
    private let drops: Counter

    init(link: IPCLink, producer: ServiceName, instance: String, eventLoop: any EventLoop, metrics: MetricsRegistry) {
        self.link = link
        self.producer = producer.rawValue
        self.instance = instance
        self.eventLoop = eventLoop
        waitingEvents = metrics.gauge("telemetry_spool_events", help: "Events and records that wait for telemetry.")
        drops = metrics.counter("telemetry_dropped_events", help: "Events and records dropped because their spool was full.")
    }

    /// Queues one event; never waits, never fails.
    package func emit(_ event: TelemetryAPI.RequestEvent) {
        if !waiting.withLock({ $0.events.append(event) }) { drops.add() }
    }

    /// Queues one record of the audit trail; never waits, never fails.
    package func emit(_ record: TelemetryAPI.CredentialRecord) {
        if !waiting.withLock({ $0.records.append(record) }) { drops.add() }
    }

    /// Delivers until cancelled.
    func run() async throws {
        while true {
            try await eventLoop.sleep(Self.interval)
            while await deliver() {}
            waitingEvents.set(waiting.withLock { $0.events.count + $0.records.count })
        }
    }

    /// Delivers what waits, giving up at `deadline`: before the process ends.
    func flush(until deadline: MonotonicTime) async {
        while MonotonicTime.now() < deadline, await deliver() {}
    }

    /// Sends one batch. True when it was acknowledged and more waits.
    private func deliver() async -> Bool {
        let request = waiting.withLock { waiting -> TelemetryAPI.IngestRequest? in
            guard waiting.events.count + waiting.records.count > 0 else { return nil }
            let most = max(1, min(waiting.credit, Self.largestBatch))
            return TelemetryAPI.IngestRequest(
                producer: producer, instance: instance, firstSequence: waiting.events.first, events: waiting.events.prefix(most),
                dropped: waiting.events.dropped, credentials: waiting.records.prefix(most),
                firstCredential: waiting.records.first, credentialsDropped: waiting.records.dropped)
        }
        guard let request else { return false }
        let options = CallOptions(deadline: .now() + .seconds(2), isIdempotent: true, waitForReady: .zero)
        do {
            let reply = try await TelemetryClient(link: link).ingest(request, options)
            return waiting.withLock { waiting in
                let done =
                    waiting.events.acknowledge(reply.acknowledged) + waiting.records.acknowledge(reply.acknowledgedCredentials)
                waiting.credit = reply.credit
                return done > 0 && waiting.events.count + waiting.records.count > 0 && reply.credit > 0
            }
        } catch {
            // The link shows why (`links`); all stays in the spools for the next round.
            return false
        }
    }
}
