import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadResilience
import BulkheadServiceKit
import BulkheadTokens
import Glibc
import Logging
import Synchronization

/// What a configuration comes to while it is in force.
///
/// A class, because every call holds on to it until its end: a reference, not a copy of some kilobytes.
package final class RouterSettings: Sendable {
    package let configuration: RouterConfiguration
    package let table: RoutingTable
    /// What answers took and cost.
    package let accounting: Accounting
    /// Facts and prices of models.
    package var catalog: ModelCatalog { accounting.catalog }
    package var cache: AnswerCacheConfiguration { configuration.cache }

    package init(_ configuration: RouterConfiguration, counter: TokenCounter, unpriced: UnknownPrices) {
        self.configuration = configuration
        table = RoutingTable(configuration)
        accounting = Accounting(
            catalog: ModelCatalog(overrides: configuration.modelInfo), counter: counter, unpriced: unpriced)
    }
}

extension RouterSettings {
    /// Settings whose unpriced answers nobody is told of.
    package convenience init(_ configuration: RouterConfiguration) {
        let silent = Logger(label: "router") { _ in SwiftLogNoOpLogHandler() }
        self.init(
            configuration, counter: TokenCounter(),
            unpriced: UnknownPrices(registry: MetricsRegistry(service: "router"), logger: silent))
    }
}

/// The router: routes, provider dialects, retries, fallback, provider breakers, the exact cache.
package final class RouterDaemon: BulkheadService, RouterHandler {
    package static let name = ServiceName.router
    package static let peers = RouterPeers.all
    package static let callers: Set<ServiceName> = [.edge]
    package static let schemas = [RouterMethods.schema]

    private let settings: Mutex<RouterSettings>
    private let breakerBook: TargetBreakers
    private let cooldowns = CredentialCooldowns()
    private let left: LeftAnswers
    private let switches: TargetSwitches
    private let context: ServiceContext
    private let cache: RouterCache
    private let health: RouterHealth
    private let metrics: RouterMetrics
    private let counter: TokenCounter
    private let shelf: VocabularyShelf
    private let unpriced: UnknownPrices
    private let chats: ChatExecution
    private let embeddings: EmbedExecution
    private let moderations: ModerationExecution
    private let counting: TokenCounting
    /// Seconds since 1970.
    private let started = time(nil)

    package init(configuration: RouterConfiguration, context: ServiceContext) async throws {
        unpriced = UnknownPrices(registry: context.metrics, logger: context.logger)
        shelf = Self.shelf(context)
        counter = TokenCounter(shelf)
        settings = Mutex(RouterSettings(configuration, counter: counter, unpriced: unpriced))
        breakerBook = TargetBreakers(configuration.breaker)
        let path = "\(context.stateDirectory)/targets.json"
        switches = try await context.blocking { TargetSwitches.open(path: path) }
        self.context = context
        metrics = RouterMetrics(context.metrics)
        health = RouterHealth { context.reportHealth($0) }
        cache = try RouterCache(configuration.cache.exact, context, health)
        let exchange = UpstreamExchange(client: CredentialsClient(link: context.link(to: .credentials)))
        let failover = Failover(
            breakers: breakerBook, cooldowns: cooldowns, metrics: metrics, eventLoop: context.eventLoop,
            switches: switches, journal: Self.journal(context))
        left = LeftAnswers(eventLoop: context.eventLoop)
        let order = TargetOrder(scores: TargetScores(), affinity: ProviderAffinity())
        chats = ChatExecution(
            exchange: exchange, failover: failover, order: order, left: left,
            cached: CachedChat(cache: cache.answers, eventLoop: context.eventLoop), metrics: metrics)
        embeddings = EmbedExecution(
            exchange: exchange, retrieval: RetrievalClient(link: context.link(to: .retrieval)), failover: failover, order: order)
        moderations = ModerationExecution(exchange: exchange, failover: failover)
        counting = TokenCounting(
            exchange: exchange, breakers: breakerBook, switches: switches, counter: counter, eventLoop: context.eventLoop,
            logger: context.logger, offload: { try await context.blocking($0) })
    }

    package var methods: [ServerMethod] { RouterMethods.serve(self) }

    package var verbs: [AdminVerb] {
        RouterVerbs(
            settings: { [self] in current }, breakers: breakerBook, switches: switches, tallies: metrics.tallies,
            cooldowns: cooldowns
        ).all
            + CacheVerbs(cache: cache.answers, settings: { [self] in current }).all
            + [
                AdminVerb("target.list") { [self] (_: NoValue) in TargetSwitchReport(current, switches) },
                AdminVerb("target.set") { [self] (asked: TargetSwitch) in try await set(asked) },
            ]
    }

    package func start() async throws {
        cache.start()
        context.background("vocabularies") { [shelf, context] in
            try await shelf.run { try await context.blocking($0) }
        }
        if let problem = switches.problem {
            context.logger.error(
                "switched-off targets are on again", metadata: ["reason": "\(problem)", "next": "bulkhead-router target disable"])
            health.set(.switches, Self.switchesLost)
        }
        let disabled = switches.disabled
        if !disabled.isEmpty {
            context.logger.notice("targets are switched off", metadata: ["targets": "\(disabled.joined(separator: ", "))"])
        }
    }

    private static func journal(_ context: ServiceContext) -> FailureJournal {
        FailureJournal(logger: context.logger) { [eventLoop = context.eventLoop] wait, tell in
            eventLoop.scheduleTask(in: .nanoseconds(wait.nanosecondsClamped), tell)
        }
    }

    /// Vocabularies lie beside the embedding model.
    private static func shelf(_ context: ServiceContext) -> VocabularyShelf {
        VocabularyShelf(
            find: { VocabularyFolder.find($0, executable: VocabularyFolder.executable) }, now: { time(nil) },
            changed: { vocabulary, problem in
                guard let problem else {
                    return context.logger.debug("vocabulary open", metadata: ["vocabulary": "\(vocabulary.rawValue)"])
                }
                context.logger.warning(
                    "tokens are counted roughly, four bytes each: run deploy/models/fetch.sh",
                    metadata: ["reason": "\(problem)"])
            })
    }

    private static let switchesLost =
        "which targets were switched off is not known any more (see the log): all are on; "
        + "any bulkhead-router target enable or disable settles it"

    private func set(_ asked: TargetSwitch) async throws -> TargetSwitchReport {
        // What is off and no longer configured can still be switched on.
        if !switches.disabled.contains(asked.target) { try TargetNames(current).require(asked.target) }
        let changed = try await context.blocking { [switches] in
            try switches.set(asked.target, disabled: asked.isDisabled)
        }
        health.set(.switches, nil)
        if changed {
            context.logger.notice(
                "a target was switched", metadata: ["target": "\(asked.target)", "on": "\(!asked.isDisabled)"])
        }
        return TargetSwitchReport(current, switches, changed: changed)
    }

    package func reload(_ configuration: RouterConfiguration) async throws {
        settings.withLock { $0 = RouterSettings(configuration, counter: counter, unpriced: unpriced) }
        breakerBook.reconfigure(configuration.breaker)
        cache.answers.memory.reconfigure(maxEntries: configuration.cache.exact.maxEntries)
    }

    package func drain(grace: Duration) async {}

    private var current: RouterSettings { settings.withLock { $0 } }
}

extension RouterDaemon {
    package func complete(
        _ request: RouterAPI.CompleteRequest, _ call: ServerCall, _ replies: TypedWriter<RouterAPI.CompleteReply>
    ) async throws {
        try await chats.run(request, current, call, replies)
    }

    package func takeUsage(_ request: RouterAPI.TakeUsageRequest, _ call: ServerCall) async throws -> RouterAPI.TakeUsageReply {
        await left.take(tenant: call.metadata.tenant, requestID: request.requestID)
    }

    package func countTokens(_ request: RouterAPI.CountTokensRequest, _ call: ServerCall) async throws
        -> RouterAPI.CountTokensReply
    {
        try await counting.run(request, current, call)
    }

    package func moderate(_ request: RouterAPI.ModerateRequest, _ call: ServerCall) async throws -> RouterAPI.ModerateReply {
        try await moderations.run(request, current, call)
    }

    package func embed(_ request: RouterAPI.EmbedRequest, _ call: ServerCall) async throws -> RouterAPI.EmbedReply {
        try await embeddings.run(request, current, call)
    }

    package func listModels(_ request: RouterAPI.ListModelsRequest, _ call: ServerCall) async throws -> RouterAPI.ListModelsReply
    {
        let table = current.table
        if let name = request.name {
            let targets = try table.route(name).targets
            let price = current.accounting.dearest(targets)
            return RouterAPI.ListModelsReply(models: [
                RouterAPI.Model(
                    name: name, provider: targets.first?.provider ?? "", created: started, inputNanousd: price.input,
                    outputNanousd: price.output)
            ])
        }
        let models = table.listed().map { RouterAPI.Model(name: $0.name, provider: $0.provider, created: started) }
        return RouterAPI.ListModelsReply(models: models)
    }
}

extension RouterDaemon {
    /// What breakers of targets are called, so that they are told from links.
    private static let breakerPrefix = "target:"
    /// Accounts that are left alone since they refused.
    private static let accountPrefix = "credential:"

    package func breakers() -> [BreakerRow] {
        let used = Dictionary(breakerBook.all().map { ($0.name, $0.breaker) }, uniquingKeysWith: { first, _ in first })
        let names = Set(used.keys).union(TargetNames(current).labels)
        let accounts = cooldowns.all().map { name, breaker in
            BreakerRow(
                name: Self.accountPrefix + name, state: breaker.state.rawValue,
                nextProbeMilliseconds: breaker.probeTime.map { max(0, Int(($0 - .now()).milliseconds)) })
        }
        let targets = names.union(switches.disabled).sorted().map { name in
            let wait = used[name]?.probeTime.map { max(0, Int(($0 - .now()).milliseconds)) }
            let state = switches.isDisabled(name) ? "disabled" : (used[name]?.state ?? .closed).rawValue
            return BreakerRow(name: Self.breakerPrefix + name, state: state, nextProbeMilliseconds: wait)
        }
        return targets + accounts
    }

    package func forceBreaker(_ name: String, open: Bool?) -> Bool {
        if name.hasPrefix(Self.accountPrefix) {
            return cooldowns.force(String(name.dropFirst(Self.accountPrefix.count)), open: open, now: .now())
        }
        guard name.hasPrefix(Self.breakerPrefix) else { return false }
        let label = String(name.dropFirst(Self.breakerPrefix.count))
        let known =
            breakerBook.all().contains { $0.name == label }
            || TargetNames(current).labels.contains(label)
        if known { breakerBook.force(label, open: open, now: .now()) }
        return known
    }

    package func collectMetrics() {
        let breakers = breakerBook.all().map {
            (name: $0.name, isOpen: $0.breaker.state == .open || $0.breaker.state == .forcedOpen)
        }
        metrics.collect(breakers: breakers, disabled: switches.disabled)
        cache.collectMetrics()
    }
}
