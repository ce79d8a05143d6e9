import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import GRDB
import Glibc
import Logging
import Synchronization

/// Puts telemetry together: the store, the intake, the reports, the retention.
package final class TelemetryDaemon: BulkheadService {
    package static let name = ServiceName.telemetry
    package static let peers = TelemetryPeers.all
    package static let callers: Set<ServiceName> = [.edge, .router, .retrieval, .session, .credentials]
    package static let schemas = [TelemetryMethods.schema]

    private static let retentionInterval = Duration.seconds(60)
    private static let pauseBetweenBatches = Duration.milliseconds(50)

    private let context: ServiceContext
    private let store: TelemetryStore
    private let metrics: TelemetryMetrics
    private let intake: Ingest
    private let retention: Mutex<Retention>

    package init(configuration: TelemetryConfiguration, context: ServiceContext) async throws {
        try Self.refuseUnbuilt(configuration)
        let path = "\(context.stateDirectory)/telemetry.sqlite"
        do {
            store = try await context.blocking { try TelemetryStore.open(path: path) }
        } catch let error as TelemetryStoreError {
            throw StartupFailure(error.description)
        }
        self.context = context
        metrics = TelemetryMetrics(context.metrics) { context.reportHealth($0) }
        intake = Ingest(store: store, metrics: metrics)
        if configuration.alerts != TelemetryConfiguration.Alerts() {
            context.logger.notice("telemetry.alerts is read and checked; alerts themselves come in a later part")
        }
        retention = Mutex(Self.retention(configuration))
    }

    /// Never a silent downgrade: what is configured and not there refuses the start.
    private static func refuseUnbuilt(_ configuration: TelemetryConfiguration) throws {
        if configuration.contentCapture != .off {
            throw StartupFailure("telemetry.content_capture: capturing content comes in a later part; use off", exitCode: 78)
        }
        if let destination = configuration.exportDestination {
            throw StartupFailure(
                "telemetry.otlp_export.destination is \(destination): exporting comes in a later part; remove it", exitCode: 78)
        }
    }

    private static func retention(_ configuration: TelemetryConfiguration) -> Retention {
        Retention(events: configuration.spanRetention, rollups: configuration.rollupRetention)
    }

    package var methods: [ServerMethod] { TelemetryMethods.serve(self) }

    package func start() async throws {
        context.background("retention") { [self] in try await retire() }
    }

    package func reload(_ configuration: TelemetryConfiguration) async throws {
        try Self.refuseUnbuilt(configuration)
        retention.withLock { $0 = Self.retention(configuration) }
    }

    package func drain(grace: Duration) async {}

    private func retire() async throws {
        while true {
            try await context.eventLoop.sleep(await retireBatch() ? Self.pauseBetweenBatches : Self.retentionInterval)
        }
    }

    /// True when more waits.
    private func retireBatch() async -> Bool {
        do {
            let step = try await retention.withLock { $0 }.step(store, now: Self.now())
            metrics.retired(step.deleted)
            return step.more
        } catch {
            context.logger.warning("old rows not deleted; tried again in a minute", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Milliseconds since 1970.
    private static func now() -> Int64 {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000
    }

    package var verbs: [AdminVerb] {
        let reports = Reports(store: store, now: Self.now)
        return [
            AdminVerb("stats") { (query: ReportQuery) in try await reports.stats(query) },
            AdminVerb("costs") { (query: ReportQuery) in try await reports.costs(query) },
            AdminVerb("errors") { (query: ReportQuery) in try await reports.errors(query) },
            AdminVerb("prices") { (query: ReportQuery) in try await reports.prices(query) },
            AdminVerb("audit") { (query: CredentialQuery) in try await reports.credentials(query) },
            AdminVerb("trace") { (query: TraceQuery) in try await reports.trace(query) },
        ]
    }
}

extension TelemetryDaemon: TelemetryHandler {
    package func ingest(_ request: TelemetryAPI.IngestRequest, _ call: ServerCall) async throws -> TelemetryAPI.IngestReply {
        try await intake.take(request, producer: call.peer, now: Self.now())
    }
}
