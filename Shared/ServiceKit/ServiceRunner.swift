import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadResilience
import CBulkheadSystem
import Glibc
import Logging
import NIOCore
import Synchronization

/// Runs one service from configuration to exit, the same way for all six:
/// configuration → log → folders and lock → links → service → sockets → start → ready → serve → drain.
package final class ServiceRunner<Service: BulkheadService>: Sendable {
    private let configurationPath: String
    private let startedAt = MonotonicTime.now()
    private let level = JSONLogHandler.Level(.info)
    private let writer = LogWriter()
    private let logger: Logger
    private let stopping = StopPromise()
    private let effective = Mutex<[EffectiveValue]>([])
    /// How long running work may take to finish once asked to stop.
    private let grace = Duration.seconds(25)

    /// - Parameter configurationPath: the file, as `ConfigDocument.locate` found it.
    package init(configurationPath: String) {
        self.configurationPath = configurationPath
        let (level, writer) = (level, writer)
        // Libraries log through the same handler, so that every line is JSON.
        LoggingSystem.bootstrap { _ in JSONLogHandler(service: Service.name.rawValue, level: level, writer: writer) }
        logger = Logger(label: Service.name.executable)
    }

    /// Serves until asked to stop.
    /// - Returns: the exit code: 0 after a drain, 1 failed, 75 already running, 78 configuration.
    package func run() async -> Int32 {
        defer { writer.flush() }
        do {
            try await serve()
            return 0
        } catch let problems as ConfigProblems {
            for problem in problems.problems { FileHandleText.standardError("\(problem)\n") }
            return 78
        } catch let failure as StartupFailure {
            FileHandleText.standardError("\(Service.name.executable): \(failure)\n")
            return failure.exitCode
        } catch {
            FileHandleText.standardError("\(Service.name.executable): \(error)\n")
            return 1
        }
    }

    private func serve() async throws {
        let loaded = try loadConfiguration(Service.Configuration.self, path: configurationPath)
        effective.withLock { $0 = loaded.effective }
        level.current = Logger.Level(rawValue: loaded.suite.logLevel.rawValue) ?? .info
        let folders = ServiceFolders(service: Service.name, runDir: loaded.suite.runDir, stateDir: loaded.suite.stateDir)
        try folders.prepare()
        // Under `bulkhead up` no service outlives its supervisor, however that ends.
        if getenv("BULKHEAD_SUPERVISED") != nil { endWithParent() }
        if Service.name == .credentials { try refuseDumps() }
        let context = makeContext(loaded.suite, folders)
        if loaded.suite.environment == .dev { try armFailpoints() }
        try context.parts.startWatchdog(context.eventLoop)
        StopSignals.listen(stop: { [stopping] _ in stopping.stop(nil) }, reload: { [self] in requestReload() })
        context.parts.observeFailure { [stopping] in stopping.stop($0) }
        let service = try await Service(configuration: loaded.service, context: context)
        let sockets = try await openSockets(service, context, folders)
        context.parts.observeHealth { health in
            sockets.peers.setHealth(health)
            sockets.admin.setHealth(health)
        }
        try await service.start()
        if context.parts.health.state == .starting { context.reportHealth(PeerHealth(state: .ready)) }
        startTelemetry(context)
        notify("READY=1")
        startWatchdog(context)
        logger.info("serving", metadata: ["pid": "\(getpid())", "instance": "\(context.instance)"])
        let failure = await serveUntilStopped(service)
        let cut = await drain(service, context, sockets)
        logger.info("stopped", metadata: ["cut_off_calls": "\(cut)"])
        if let failure { throw StartupFailure(failure) }
    }

    private func armFailpoints() throws(StartupFailure) {
        guard let text = getenv("BULKHEAD_FAILPOINTS").map({ String(cString: $0) }), !text.isEmpty else { return }
        let unknown = Failpoint.arm(text)
        guard unknown.isEmpty else {
            throw StartupFailure(
                "BULKHEAD_FAILPOINTS: \(unknown.joined(separator: ", ")) is not understood; write PLACE=kill or PLACE=stop@2")
        }
        logger.warning("failpoints are armed", metadata: ["failpoints": "\(text)"])
    }

    /// - Returns: what failed, when it was not asked to stop.
    private func serveUntilStopped(_ service: Service) async -> String? {
        while true {
            switch await stopping.wait() {
            case .stop(let failure):
                return failure
            case .reload:
                let report = await reload(service)
                if !report.reloaded {
                    logger.error(
                        "reload refused", metadata: ["problems": "\(report.problems.map(\.description).joined(separator: "; "))"])
                }
            }
        }
    }

    private func drain(_ service: Service, _ context: ServiceContext, _ sockets: Sockets) async -> Int {
        logger.info("draining")
        notify("STOPPING=1")
        let until = MonotonicTime.now() + grace
        context.reportHealth(PeerHealth(state: .draining, reason: "asked to stop"))
        await service.drain(grace: grace)
        let cut = await sockets.peers.drain(grace: max(.seconds(1), until - .now()))
        await context.telemetryEmitter?.flush(until: .now() + .seconds(1))
        await context.parts.close()
        _ = await sockets.admin.drain(grace: .milliseconds(200))
        return cut
    }

    // Parts of the start

    private func endWithParent() {
        let error = bh_signal_on_parent_death(SIGTERM)
        if error != 0 {
            logger.warning("will not end with its supervisor (prctl failed)", metadata: ["errno": "\(error)"])
        }
    }

    private func refuseDumps() throws {
        let error = bh_set_undumpable()
        if error != 0 {
            throw StartupFailure("cannot switch core dumps off (prctl: errno \(error)), and a dump would hold secrets")
        }
    }

    private func makeContext(_ suite: SuiteConfiguration, _ folders: ServiceFolders) -> ServiceContext {
        let loop = ProcessRuntime.eventLoop
        let metrics = MetricsRegistry(service: Service.name.rawValue)
        let instance = InstanceID.new()
        let links = Service.peers.map { ($0.service, makeLink($0, suite, loop)) }
        let deadlines = Service.peers.map { peer in
            (peer.service, suite.links["\(Service.name.rawValue).\(peer.service.rawValue)"]?.deadline ?? peer.deadline)
        }
        let parts = ContextParts(links: links, deadlines: Dictionary(uniqueKeysWithValues: deadlines), logger: logger)
        return ServiceContext(
            name: Service.name, instance: instance, logger: logger, metrics: metrics, eventLoop: loop, suite: suite,
            directories: (folders.run, folders.state), configurationPath: configurationPath, parts: parts)
    }

    private func makeLink(_ peer: PeerDeclaration, _ suite: SuiteConfiguration, _ loop: any EventLoop) -> IPCLink {
        let folders = ServiceFolders(service: peer.service, runDir: suite.runDir, stateDir: suite.stateDir)
        var configuration = LinkConfiguration(
            peer: peer.service.rawValue, caller: Service.name.rawValue, socketPath: folders.ipcSocket,
            schemas: peer.schemas + [PeerMethods.schema], allowedOwners: PeerIdentity.owners(of: peer.service))
        if let change = suite.links["\(Service.name.rawValue).\(peer.service.rawValue)"] { configuration.apply(change) }
        let link = IPCLink(configuration: configuration, eventLoop: loop)
        let journal = LinkJournal(logger)
        link.onChange { journal.observe($0) }
        return link
    }

    private struct Sockets {
        let peers: IPCServer
        let admin: IPCServer
    }

    private func openSockets(_ service: Service, _ context: ServiceContext, _ folders: ServiceFolders) async throws -> Sockets {
        let gauges = KitMetrics(context: context, startedAt: startedAt, writer: writer)
        let endpoint = PeerEndpoint(metrics: context.metrics) {
            service.collectMetrics()
            gauges.update()
        }
        do {
            let peers = try await IPCServer.start(
                ServerConfiguration(
                    service: Service.name.rawValue, socketPath: folders.ipcSocket,
                    allowedUIDs: PeerIdentity.uids(of: Service.callers), allowedCallers: PeerIdentity.names(of: Service.callers),
                    methods: service.methods + PeerMethods.serve(endpoint), schemas: Service.schemas + [PeerMethods.schema]),
                eventLoop: context.eventLoop)
            gauges.watch(peers)
            let verbs = AdminEndpoint(sharedVerbs(service, context, peers) + service.verbs)
            let admin = try await IPCServer.start(
                ServerConfiguration(
                    service: Service.name.rawValue, socketPath: folders.adminSocket, allowedUIDs: [geteuid(), 0],
                    allowedCallers: ["admin": []], allowedGID: PeerIdentity.adminGroup, methods: AdminMethods.serve(verbs),
                    schemas: [AdminMethods.schema]),
                eventLoop: context.eventLoop)
            return Sockets(peers: peers, admin: admin)
        } catch let error as IPCServerError {
            throw StartupFailure(error.description)
        }
    }

    private func startTelemetry(_ context: ServiceContext) {
        guard let emitter = context.telemetryEmitter else { return }
        context.background("telemetry events") { try await emitter.run() }
    }

    private func startWatchdog(_ context: ServiceContext) {
        guard let interval = getenv("WATCHDOG_USEC").flatMap({ Int64(String(cString: $0)) }), interval > 0 else { return }
        context.background("watchdog") { [self] in
            while true {
                try await context.eventLoop.sleep(.microseconds(interval / 2))
                notify("WATCHDOG=1")
            }
        }
    }

    private func notify(_ state: String) {
        let result = bh_sd_notify(state)
        if result < 0 {
            logger.warning("the service manager could not be told", metadata: ["state": "\(state)", "errno": "\(-result)"])
        }
    }

    private func requestReload() { stopping.reload() }

    private func reload(_ service: Service) async -> ReloadReport {
        notify("RELOADING=1")
        defer { notify("READY=1") }
        do {
            let loaded = try loadConfiguration(Service.Configuration.self, path: configurationPath)
            try await service.reload(loaded.service)
            effective.withLock { $0 = loaded.effective }
            logger.info("configuration reloaded")
            return ReloadReport(reloaded: true, problems: [])
        } catch let problems as ConfigProblems {
            return ReloadReport(reloaded: false, problems: problems.problems)
        } catch {
            let problem = ConfigProblem(
                file: configurationPath, line: 1, column: 1, key: Service.Configuration.sectionName, found: "a change",
                expected: "\(error)")
            return ReloadReport(reloaded: false, problems: [problem])
        }
    }

    // Verbs every service has

    private func sharedVerbs(_ service: Service, _ context: ServiceContext, _ server: IPCServer) -> [AdminVerb] {
        [
            AdminVerb("status") { [self] (_: NoValue) in status(context, server) },
            AdminVerb("health") { [self] (_: NoValue) in status(context, server) },
            AdminVerb("links") { (_: NoValue) in
                zip(Service.peers, context.links).map { LinkReport(link: $1.link.snapshot(), fallback: $0.fallback) }
            },
            AdminVerb("links.methods") { (_: NoValue) in
                context.links.map { LinkMethods(peer: $0.peer.rawValue, methods: $0.link.methods()) }
            },
            AdminVerb("breakers.list") { (_: NoValue) in
                context.links.map { BreakerRow(name: $0.peer.rawValue, state: $0.link.snapshot().breaker) } + service.breakers()
            },
            AdminVerb("breakers.force") { (command: BreakerCommand) in try Self.force(command, service, context) },
            AdminVerb("config.effective") { [self] (_: NoValue) in effective.withLock { $0 } },
            AdminVerb("reload") { [self] (_: NoValue) in await reload(service) },
            AdminVerb("log-level") { [self] (change: LogLevelChange) in try setLevel(change) },
            AdminVerb("drain") { [stopping] (_: NoValue) in
                stopping.stop(nil)
                return NoValue()
            },
        ]
    }

    private func status(_ context: ServiceContext, _ server: IPCServer) -> StatusReport {
        let health = context.parts.health
        return StatusReport(
            service: Service.name.rawValue, state: health.state.rawValue, reason: health.reason, pid: getpid(),
            instance: context.instance, version: BulkheadVersion.current,
            uptimeSeconds: (MonotonicTime.now() - startedAt).milliseconds / 1000, server: server.snapshot(),
            configuration: configurationPath, droppedLogLines: writer.dropped)
    }

    private func setLevel(_ change: LogLevelChange) throws -> LogLevelChange {
        guard let wanted = Logger.Level(rawValue: change.level) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw CallError(.invalidArgument, message: "\"\(change.level)\" is no log level; there are: \(known)")
        }
        level.current = wanted
        return LogLevelChange(level: wanted.rawValue)
    }

    private static func force(_ command: BreakerCommand, _ service: Service, _ context: ServiceContext) throws -> BreakerRow {
        if let (_, link) = context.links.first(where: { $0.peer.rawValue == command.name }) {
            link.forceBreaker(open: command.open)
            return BreakerRow(name: command.name, state: link.snapshot().breaker)
        }
        if service.forceBreaker(command.name, open: command.open),
            let row = service.breakers().first(where: { $0.name == command.name })
        {
            return row
        }
        let known = context.links.map(\.peer.rawValue) + service.breakers().map(\.name)
        let nearest = NearestNames.of(command.name, among: known)
        let shown = command.name.count > 100 ? command.name.prefix(100) + "…" : command.name[...]
        let hint = nearest.isEmpty ? "there are none" : "the nearest are \(nearest.joined(separator: ", "))"
        throw CallError(
            .notFound,
            message:
                "there is no breaker \"\(shown)\": \(hint); \(Service.name.executable) breakers list shows all \(known.count)")
    }
}
