import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import DequeModule
import Logging
import NIOCore
import Synchronization

/// Hands request events to telemetry without ever waiting for it.
///
/// Events wait in a spool in memory, in order of their sequence numbers, until telemetry has acknowledged them: they are
/// delivered at least once, and telemetry counts each once by (instance, sequence). When the spool is full the oldest are
/// dropped and counted.
package final class TelemetryEmitter: Sendable {
    private struct Spool {
        var events: Deque<TelemetryAPI.RequestEvent> = []
        var firstSequence = 1
        var dropped = 0
        var credit = 1000
    }

    /// Events that wait at most: at 500 requests/s about four minutes.
    package static let capacity = 131_072
    /// A batch is one durable transaction of telemetry's, whatever it holds: one in a quarter of a second costs half of ten.
    private static let interval = Duration.milliseconds(250)
    private static let largestBatch = 1000

    private let spool = Mutex(Spool())
    private let link: IPCLink
    private let producer: String
    private let instance: String
    private let eventLoop: any EventLoop
    private let waiting: Gauge
    private let drops: Counter

    init(link: IPCLink, producer: ServiceName, instance: String, eventLoop: any EventLoop, metrics: MetricsRegistry) {
        self.link = link
        self.producer = producer.rawValue
        self.instance = instance
        self.eventLoop = eventLoop
        waiting = metrics.gauge("telemetry_spool_events", help: "Request events that wait for telemetry.")
        drops = metrics.counter("telemetry_dropped_events", help: "Request events dropped because the spool was full.")
    }

    /// Queues one event; never waits, never fails.
    package func emit(_ event: TelemetryAPI.RequestEvent) {
        spool.withLock { spool in
            if spool.events.count >= Self.capacity {
                spool.events.removeFirst()
                spool.firstSequence += 1
                spool.dropped += 1
                drops.add()
            }
            spool.events.append(event)
        }
    }

    /// Delivers until cancelled.
    func run() async throws {
        while true {
            try await eventLoop.sleep(Self.interval)
            while await deliver() {}
            waiting.set(spool.withLock { $0.events.count })
        }
    }

    /// Delivers what waits, giving up at `deadline`: before the process ends.
    func flush(until deadline: MonotonicTime) async {
        while MonotonicTime.now() < deadline, await deliver() {}
    }

    /// Sends one batch. True when it was acknowledged and more waits.
    private func deliver() async -> Bool {
        let request = spool.withLock { spool -> TelemetryAPI.IngestRequest? in
            guard !spool.events.isEmpty else { return nil }
            let count = min(spool.events.count, max(1, min(spool.credit, Self.largestBatch)))
            return TelemetryAPI.IngestRequest(
                producer: producer, instance: instance, firstSequence: spool.firstSequence,
                events: Array(spool.events.prefix(count)), dropped: spool.dropped)
        }
        guard let request else { return false }
        let options = CallOptions(deadline: .now() + .seconds(2), isIdempotent: true, waitForReady: .zero)
        do {
            let reply = try await TelemetryClient(link: link).ingest(request, options)
            return spool.withLock { spool in
                let done = min(max(0, reply.acknowledged - spool.firstSequence + 1), spool.events.count)
                spool.events.removeFirst(done)
                spool.firstSequence += done
                spool.credit = reply.credit
                return done > 0 && !spool.events.isEmpty && reply.credit > 0
            }
        } catch {
            // The link shows why (`links`); the events stay in the spool for the next round.
            return false
        }
    }
}
