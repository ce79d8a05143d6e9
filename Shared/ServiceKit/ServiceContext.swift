import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadResilience
import Logging
import NIOCore
import NIOPosix

/// What the kit hands to a service.
package final class ServiceContext: Sendable {
    /// Who this is.
    package let name: ServiceName
    /// Random, new with every start: 32 hexadecimal digits.
    package let instance: String
    /// Logs JSON lines with the service's name; log static messages, put values into metadata.
    package let logger: Logger
    /// The process's metrics, served to edge and by `/metrics`.
    package let metrics: MetricsRegistry
    /// The process's only event loop.
    package let eventLoop: any EventLoop
    /// The `suite:` section.
    package let suite: SuiteConfiguration
    /// `<run_dir>/<service>`, exists, mode 0750.
    package let runDirectory: String
    /// `<state_dir>/<service>`, exists, mode 0700. No other service opens it.
    package let stateDirectory: String
    /// The configuration file in use.
    package let configurationPath: String

    /// Takes request events for telemetry; never waits. Exists when telemetry is a declared peer.
    package var telemetry: TelemetryEmitter {
        guard let telemetryEmitter else { preconditionFailure("bug: \(name.rawValue) does not declare telemetry as a peer") }
        return telemetryEmitter
    }

    let telemetryEmitter: TelemetryEmitter?
    let parts: ContextParts

    init(
        name: ServiceName, instance: String, logger: Logger, metrics: MetricsRegistry, eventLoop: any EventLoop,
        suite: SuiteConfiguration, directories: (run: String, state: String), configurationPath: String, parts: ContextParts
    ) {
        self.name = name
        self.instance = instance
        self.logger = logger
        self.metrics = metrics
        self.eventLoop = eventLoop
        self.suite = suite
        self.runDirectory = directories.run
        self.stateDirectory = directories.state
        self.configurationPath = configurationPath
        self.parts = parts
        telemetryEmitter = parts.links[.telemetry].map {
            TelemetryEmitter(link: $0, producer: name, instance: instance, eventLoop: eventLoop, metrics: metrics)
        }
    }

    /// The link to a declared peer. Asking for an undeclared one is a bug.
    package func link(to service: ServiceName) -> IPCLink {
        guard let link = parts.links[service] else {
            preconditionFailure("bug: \(name.rawValue) does not declare \(service.rawValue) as a peer")
        }
        return link
    }

    /// All links by peer, in the order of their declaration.
    package var links: [(peer: ServiceName, link: IPCLink)] { parts.order.map { ($0, link(to: $0)) } }

    /// The deadline of a call to `service`: its link's limit from now, or a little before `limit` if that is nearer, so that
    /// this process can still tell its own caller what happened. Passed already when too little time is left.
    package func deadline(for service: ServiceName, within limit: MonotonicTime = .never) -> MonotonicTime {
        let now = MonotonicTime.now()
        return DeadlineBudget(deadline: limit).child(cap: parts.deadlines[service] ?? .seconds(30), now: now) ?? now
    }

    /// Reports this process's own health to all peers, `/ready` and `status`. `.ready` is reported by the kit after `start`
    /// unless the service said otherwise.
    package func reportHealth(_ health: PeerHealth) { parts.reportHealth(health) }

    /// Runs blocking work (files, fsync, SQLite, key derivation) on one of four threads; at most 1024 wait.
    /// - Throws: what `work` throws, or RESOURCE_EXHAUSTED when too many wait.
    package func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await parts.blocking(work)
    }

    /// Runs `body` until it returns or the process drains (then its task is cancelled). An error ends the process with
    /// its description: background work that may fail handles its errors itself.
    package func background(_ label: String, _ body: @escaping @Sendable () async throws -> Void) {
        parts.background(label, body)
    }
}
