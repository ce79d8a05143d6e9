import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import BulkheadStore
import Logging

/// Puts session together: the store, what stands on it, and what peers and operators may call.
package final class SessionDaemon: BulkheadService {
    package static let name = ServiceName.session
    package static let peers = SessionPeers.all
    package static let callers: Set<ServiceName> = [.edge]
    package static let schemas = [SessionMethods.schema]

    private static let spendInterval = Duration.seconds(1)
    private static let tickInterval = Duration.seconds(1)
    /// How often other suites are told that this one lives, and how soon after Redis is there.
    private static let beatInterval = Duration.seconds(2)
    private static let firstBeat = Duration.milliseconds(100)
    private static let purgeInterval = Duration.seconds(60)

    private let context: ServiceContext
    private let store: any DurableStore
    let claims: ClaimDesk
    private let keyService: KeyService
    let limits: LimitAssembly
    private let spend = SpendLedger()
    private let metrics: SessionMetrics
    private let statements: StatementLog
    private let admission: Admission

    package init(configuration: SessionConfiguration, context: ServiceContext) async throws {
        try Self.refuseUnbuilt(configuration)
        let path = "\(context.stateDirectory)/session.sqlite"
        let metrics = SessionMetrics(context.metrics)
        let statements = StatementLog()
        let health = StoreHealth(logger: context.logger) { context.reportHealth($0) }
        do {
            let observer = StoreObserver.of(metrics, statements) { outcome in
                // On the loop: health is pushed to peers there.
                context.eventLoop.execute { health.observe(outcome) }
            }
            store = try await StoreChoice.open(context, observer: observer, health: health)
            keyService = try await KeyService.open(store, logger: context.logger)
            claims = try await ClaimDesk.open(store, metrics: metrics)
            limits = try await LimitAssembly(context: context, store: store, spend: spend, metrics: metrics, health: health)
        } catch let error as StoreOpenError {
            throw StartupFailure(error.description)
        } catch let error as CallError {
            throw StartupFailure("\(path): \(error.message)")
        }
        self.context = context
        self.metrics = metrics
        self.statements = statements
        admission = Admission(
            keys: keyService.index, limits: limits.desk, spend: spend, claims: claims, metrics: metrics,
            settings: AdmissionSettings(configuration), runaways: RunawayLog(logger: context.logger),
            isStoreAway: { health.isDurableAway })
    }

    /// Never a silent downgrade: what is configured and not there refuses the start.
    private static func refuseUnbuilt(_ configuration: SessionConfiguration) throws {
        if configuration.encryptionKeyFile != nil {
            throw StartupFailure("\(UnbuiltSettings.encryption): \(UnbuiltSettings.advice)", exitCode: 78)
        }
    }

    /// What needs no disk, nearly everything, is answered without a task.
    package var methods: [ServerMethod] {
        SessionMethods.serve(self).map { [admission, keyService] method in
            switch method.descriptor.name {
            case SessionMethods.admit.name:
                method.first { keyService.isUnknown($0) ? nil : try admission.admitNow($0, now: .now()) }
            case SessionMethods.settle.name: method.first { admission.settleNow($0, now: .now()) }
            default: method
            }
        }
    }

    package func start() async throws {
        if limits.client != nil {
            context.background("redis") { [limits, context] in try await limits.maintain(on: context.eventLoop) }
            context.background("limits heartbeat") { [self] in try await beat() }
        }
        keyService.start(context)
        context.background("spend flush") { [self] in try await flushSpend() }
        context.background("store tick") { [self] in try await tickStore() }
        context.background("idempotency purge") { [self] in try await purgeExpired() }
    }

    package func reload(_ configuration: SessionConfiguration) async throws {
        try Self.refuseUnbuilt(configuration)
        admission.apply(AdmissionSettings(configuration))
    }

    package func drain(grace: Duration) async {
        keyService.index.watchers.close()
        await flushOnce()
    }

    package func collectMetrics() {
        let local = limits.desk.local
        metrics.collect(
            keys: keyService.index.count, subjects: local.subjectCount, reservations: local.reservationCount,
            endsPending: limits.desk.pendingEnds)
        metrics.collect(statements)
    }

    private func beat() async throws {
        while true {
            // Who is not heard yet is not counted by the others, should Redis go away again.
            let isHeard = await limits.desk.beat(limits.suite, now: .now())
            try await context.eventLoop.sleep(isHeard ? Self.beatInterval : Self.firstBeat)
        }
    }

    private func flushSpend() async throws {
        // The last flush follows the last call: background work is cancelled after the drain.
        while !Task.isCancelled {
            do { try await context.eventLoop.sleep(Self.spendInterval) } catch is CancellationError {}
            await flushOnce()
        }
    }

    /// Apart from all work: a store that does not answer is ticked too.
    private func tickStore() async throws {
        while true {
            try await context.eventLoop.sleep(Self.tickInterval)
            store.tick(now: .now())
        }
    }

    private func flushOnce() async {
        do {
            try await spend.flush(store)
        } catch {
            context.logger.warning("spend not written; kept in memory", metadata: ["error": "\(error)"])
        }
    }

    private func purgeExpired() async throws {
        while true {
            try await context.eventLoop.sleep(Self.purgeInterval)
            do {
                _ = try await idempotency.purge(IdempotencySelection())
                try await BudgetSpend.purge(store)
            } catch let error as CallError {
                context.logger.warning("expired answers and old budgets not purged", metadata: ["error": "\(error)"])
            }
        }
    }

    private var idempotency: IdempotencyAdministration {
        IdempotencyAdministration(desk: claims, retention: admission.retention, logger: context.logger)
    }

    package var verbs: [AdminVerb] {
        let keys = KeyVerbs(index: keyService.index, store: store, spend: spend, sharing: keyService.sharing)
        let answers = idempotency
        return keys.all + [
            AdminVerb("limits.show") { [self] (asked: LimitSelection) in
                try await LimitInspection(
                    store: store, desk: limits.desk, spend: spend, policy: admission.policy, now: .now(),
                    knows: { [keyService] in keyService.index.knows(tenant: $0) }
                ).show(asked)
            },
            AdminVerb("limits.reset") { [self] (asked: LimitSelection) in
                try await LimitReset(
                    store: store, desk: limits.desk, logger: context.logger,
                    knows: { [keyService] in keyService.index.knows(tenant: $0) }
                ).reset(asked)
            },
            AdminVerb("idempotency.list") { (asked: IdempotencySelection) in try await answers.list(asked) },
            AdminVerb("idempotency.show") { (asked: ClaimName) in try await answers.show(asked) },
            AdminVerb("idempotency.release") { (asked: ClaimRelease) in try await answers.release(asked) },
            AdminVerb("idempotency.purge") { (asked: IdempotencySelection) in try await answers.purge(asked) },
        ] + StoreAdministration(store: store, log: statements).verbs
    }
}

extension SessionDaemon: SessionHandler {
    package func admit(_ request: SessionAPI.AdmitRequest, _ call: ServerCall) async throws -> SessionAPI.AdmitReply {
        try await keyService.learn(request)
        return try await admission.admit(request, now: .now(), deadline: call.deadline)
    }

    package func settle(_ request: SessionAPI.SettleRequest, _ call: ServerCall) async throws -> SessionAPI.SettleReply {
        try await admission.settle(request, now: .now(), deadline: call.deadline)
    }

    package func reportSpend(
        _ request: SessionAPI.ReportSpendRequest, _ call: ServerCall
    ) async throws -> SessionAPI.ReportSpendReply {
        try await admission.take(request, store, deadline: call.deadline, now: .now())
    }

    package func watchKeys(
        _ request: SessionAPI.WatchKeysRequest, _ call: ServerCall, _ replies: TypedWriter<SessionAPI.WatchKeysReply>
    ) async throws {
        try await keyService.index.watchers.watch { try await replies.write($0) }
    }
}
