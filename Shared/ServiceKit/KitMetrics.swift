import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import Glibc
import Synchronization

/// The metrics every process has: calls, links, memory, age.
final class KitMetrics: Sendable {
    private let context: ServiceContext
    private let startedAt: MonotonicTime
    private let writer: LogWriter
    private let server = Mutex<IPCServer?>(nil)

    init(context: ServiceContext, startedAt: MonotonicTime, writer: LogWriter) {
        self.context = context
        self.startedAt = startedAt
        self.writer = writer
    }

    func watch(_ server: IPCServer) { self.server.withLock { $0 = server } }

    /// Brings the gauges up to date.
    func update() {
        let metrics = context.metrics
        metrics.gauge("up", help: "1 while the process serves.").set(1)
        metrics.gauge("uptime_seconds", help: "Age of the process.").set(
            Int((MonotonicTime.now() - startedAt).components.seconds))
        metrics.gauge("resident_memory_bytes", help: "Resident memory.").set(Self.residentBytes())
        metrics.gauge("log_lines_dropped", help: "Log lines nobody read.").set(writer.dropped)
        if let snapshot = server.withLock({ $0?.snapshot() }) {
            metrics.gauge("ipc_connections", help: "Peers connected.").set(snapshot.connections)
            metrics.gauge("ipc_in_flight", help: "Calls being served.").set(snapshot.inFlight)
            metrics.gauge("ipc_rejected_connections", help: "Connections refused.").set(Int(snapshot.rejected))
            for (method, count) in snapshot.calls {
                metrics.gauge("ipc_calls", help: "Calls served, by method.", labels: [("method", method)]).set(Int(count))
            }
        }
        for (peer, link) in context.links {
            let snapshot = link.snapshot()
            let labels = [("peer", peer.rawValue)]
            metrics.gauge("link_ready", help: "1 while the link is ready.", labels: labels).set(snapshot.state == .ready ? 1 : 0)
            metrics.gauge("link_calls", help: "Calls made.", labels: labels).set(Int(snapshot.calls))
            metrics.gauge("link_failures", help: "Calls that failed on the link.", labels: labels).set(Int(snapshot.failures))
            metrics.gauge("link_breaker_open", help: "1 while the breaker is not closed.", labels: labels)
                .set(snapshot.breaker == "closed" ? 0 : 1)
        }
    }

    private static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return 0 }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
