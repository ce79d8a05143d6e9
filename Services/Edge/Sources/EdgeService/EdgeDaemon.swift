import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import NIOCore

/// The edge service: the only process clients reach.
package final class EdgeDaemon: BulkheadService {
    package static let name = ServiceName.edge
    package static let peers = EdgePeers.declarations
    package static let callers: Set<ServiceName> = [.session]
    package static let schemas: [ServiceSchema] = []

    private let settings: EdgeSettings
    private let context: ServiceContext
    private let admission: Admission
    private let settlement: Settlement
    private let reporter: SpendReporter
    private let claims: HeldClaims
    private let archive: StreamArchive
    private let watch: KeyWatch
    private let operations: Operations
    private let pipeline: EdgePipeline
    private let metrics: EdgeMetrics
    private let destinations: DestinationDirectory
    /// nil: tokens are not taken.
    private let tokens: TokenService?
    private let listeners: [HTTPListener]

    /// - Throws: `StartupFailure` for what the configuration may say but this version cannot do.
    package init(configuration: EdgeConfiguration, context: ServiceContext) async throws {
        if configuration.tls != nil {
            throw StartupFailure("edge.tls comes in a later version: put a proxy that ends TLS in front", exitCode: 78)
        }
        self.context = context
        settings = EdgeSettings(configuration)
        let metrics = EdgeMetrics(context.metrics)
        let peers = EdgePeers(context: context)
        let run = Int.random(in: 1 ... .max)
        let claims = HeldClaims(peers: peers, run: run, logger: context.logger, metrics: context.metrics)
        let archive = StreamArchive(peers: peers, logger: context.logger, metrics: context.metrics)
        reporter = SpendReporter(peers: peers, logger: context.logger, metrics: context.metrics)
        let settlement = Settlement(
            peers: peers, claims: claims, reporter: reporter, telemetry: context.telemetry, logger: context.logger,
            metrics: context.metrics)
        let path = context.configurationPath
        let destinations = DestinationDirectory(try await context.blocking { DestinationDirectory.read(path) })
        tokens = try configuration.oidc.map {
            try TokenService($0, context: context, peers: peers, destinations: destinations)
        }
        let admission = Admission(
            mode: configuration.auth, requiredOn: configuration.idempotencyRequiredOn, peers: peers, settlement: settlement,
            reporter: reporter, settings: settings, run: run, tokens: tokens?.desk
        ) {
            metrics.servedOnMemory.add()
        }
        let gate = RequestGate(
            limit: configuration.maxConcurrentRequests, depth: configuration.queueDepth, maxWait: configuration.queueMaxWait,
            eventLoop: context.eventLoop)
        let patience = LimitPatience(admission: admission, gate: gate, settings: settings, metrics: context.metrics)
        let services = EdgeServices(
            peers: peers, admission: admission, patience: patience, gate: gate, settlement: settlement, claims: claims,
            archive: archive, settings: settings,
            metrics: metrics, destinations: destinations)
        let operations = Operations(context: context, services: services)
        let pipeline = EdgePipeline(services: services, operations: operations, metrics: metrics, context: context)
        (self.metrics, self.admission, self.settlement) = (metrics, admission, settlement)
        self.destinations = destinations
        (self.claims, self.archive) = (claims, archive)
        watch = KeyWatch(peers: peers, admission: admission, logger: context.logger)
        (self.operations, self.pipeline) = (operations, pipeline)
        listeners = Self.listeners(configuration, context, pipeline)
    }

    package var methods: [ServerMethod] { [] }

    package var verbs: [AdminVerb] { EdgeVerbs.all(admission) }

    package func start() async throws {
        context.background("settlement") { [settlement] in await settlement.run() }
        context.background("spend reports") { [reporter] in await reporter.run() }
        context.background("recordings") { [archive] in await archive.run() }
        context.background("renewal") { [claims, pipeline, context] in
            await claims.renew(on: context.eventLoop) { pipeline.gate.running > 0 }
        }
        context.background("key watch") { [watch] in await watch.run() }
        if let tokens { context.background("token keys") { await tokens.run() } }
        operations.beforeMetrics { [weak self] in self?.collectMetrics() }
        for listener in listeners { try await listener.start() }
    }

    package func reload(_ configuration: EdgeConfiguration) async throws {
        let path = context.configurationPath
        let read = try await context.blocking { DestinationDirectory.read(path) }
        try settings.replace(configuration)
        destinations.replace(read)
        await tokens?.desk.keys.reload()
    }

    package func drain(grace: Duration) async {
        let until = MonotonicTime.now() + grace
        operations.beginDrain()
        // What outlives its client is in no connection that would end it.
        let cutOff = context.eventLoop.scheduleTask(in: TimeAmount(grace)) { [claims] in claims.interruptAll() }
        defer { cutOff.cancel() }
        await withTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { await listener.drain(grace: grace) } }
        }
        await settlement.flush(until: max(until, .now() + .seconds(1)), on: context.eventLoop)
        await reporter.flush(until: .now() + .seconds(1), on: context.eventLoop)
    }

    package func collectMetrics() {
        tokens?.collectMetrics()
        metrics.update(
            inFlight: pipeline.gate.running, queued: pipeline.gate.waiting,
            connections: listeners.reduce(0) { $0 + $1.connectionCount }, keys: admission.remembered,
            isWatched: admission.isWatched)
        metrics.update(unreported: reporter.total)
    }

    private static func listeners(
        _ configuration: EdgeConfiguration, _ context: ServiceContext, _ pipeline: EdgePipeline
    ) -> [HTTPListener] {
        let doors: [(HostPort?, EdgePipeline.Door)] = [(configuration.listen, .clients), (configuration.opsListen, .operators)]
        return doors.compactMap { address, door in
            address.map {
                HTTPListener(address: $0, context: context) { request, connection in
                    try await pipeline.respond(request, connection, door)
                }
            }
        }
    }
}
