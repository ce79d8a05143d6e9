import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import NIOCore
import Synchronization

/// The service `credentials`: secrets, destinations, the only way out to the network.
package final class CredentialsDaemon: BulkheadService {
    package typealias Configuration = CredentialsConfiguration

    package static let name = ServiceName.credentials
    package static let peers = CredentialsPeers.all
    package static let callers: Set<ServiceName> = [.edge, .router, .retrieval, .session, .telemetry]
    package static let schemas = [CredentialsMethods.schema]

    struct InForce: Sendable {
        var configuration: CredentialsConfiguration
        /// What the other services' sections refer to.
        var providers: ProviderReferences
    }

    let context: ServiceContext
    let store: any SecretStore
    let audit: AuditTrail
    let service: CallService
    let inForce: Mutex<InForce>

    package required init(configuration: CredentialsConfiguration, context: ServiceContext) async throws {
        self.context = context
        try Self.prepareMemory(configuration, context)
        let store = Self.makeStore(configuration, context)
        let path = context.configurationPath
        let telemetry = context.telemetry
        let opened = try await context.blocking {
            (
                problem: store.open(),
                audit: try AuditTrail(configuration.audit, folder: context.stateDirectory) { event, seq, at in
                    telemetry.emit(TelemetryAPI.CredentialRecord(event, seq: seq, at: at))
                },
                providers: ProviderReferences.read(path),
                client: try OutboundClient.make(configuration.egress)
            )
        }
        if let problem = opened.problem {
            context.logger.error("the store of secrets is not open", metadata: ["reason": "\(problem)"])
        }
        self.store = store
        opened.client.use(ProxyAccess(configuration.egress, store.state))
        let rotations = TokenRotations()
        audit = opened.audit
        let table = DestinationTable(
            configuration.destinations, providers: opened.providers, vault: store.state, metrics: context.metrics,
            isStale: store.stale != nil)
        let surroundings = CallSurroundings(table: table, client: opened.client, tokens: OAuthTokens(persist: rotations.save))
        service = CallService(surroundings, audit: opened.audit) { event in
            Self.alarm(event, context)
        }
        inForce = Mutex(InForce(configuration: configuration, providers: opened.providers))
        rotations.daemon = self
    }

    /// Where memory cannot be locked, secrets may be swapped to a disk: not without being told so.
    private static func prepareMemory(_ configuration: CredentialsConfiguration, _ context: ServiceContext) throws {
        SecretMemory.shared.prepare()
        guard let problem = SecretMemory.shared.problem else { return }
        guard configuration.allowsUnlockedMemory || context.suite.environment == .dev else {
            throw StartupFailure(
                "\(problem), or set credentials.memory.allow_unlocked: true where the machine has no swap", exitCode: 78)
        }
        context.logger.warning("secrets may be swapped", metadata: ["reason": "\(problem)"])
    }

    package var methods: [ServerMethod] { CredentialsMethods.serve(service) }

    package var verbs: [AdminVerb] { secretVerbs + storeVerbs + policyVerbs + inspectionVerbs }

    package func start() async throws {
        try await importSecrets()
        refresh()
        context.background("store of secrets") { [self] in await watchStore() }
        context.background("audit trail") { [self] in await writeAudit() }
    }

    /// Records are brought to the disk in groups of this long: they stand in the file before.
    private static let auditPause: Duration = .milliseconds(5)
    /// How often a trail that cannot be written is tried again.
    private static let auditRetry: Duration = .milliseconds(250)

    /// Brings the audit trail to the disk until the process ends.
    private func writeAudit() async {
        var isFailing = false
        for await _ in audit.wakeups {
            repeat {
                await pause(audit.failure == nil ? Self.auditPause : Self.auditRetry)
                do {
                    try await context.blocking { [audit] in audit.flush() }
                } catch {
                    // Cancelled, or too much blocking work waits: the next record comes here again.
                    break
                }
                if (audit.failure != nil) != isFailing {
                    isFailing.toggle()
                    reportAudit()
                }
            } while audit.failure != nil && !Task.isCancelled
        }
        // The process ends; calls that ended after `drain` began are still to be written, and nothing waits for the loop.
        audit.flush()
    }

    private func reportAudit() {
        reportHealth()
        if let failure = audit.failure {
            context.logger.error("the audit trail cannot be written: no secret is used", metadata: ["reason": "\(failure)"])
        } else {
            context.logger.notice("the audit trail is written again")
        }
    }

    private func pause(_ duration: Duration) async {
        do {
            try await context.eventLoop.sleep(duration)
        } catch {
            // The process ends: no pause is needed.
        }
    }

    package func reload(_ configuration: CredentialsConfiguration) async throws {
        let old = inForce.withLock { $0.configuration }
        guard configuration.store == old.store, configuration.keyFile == old.keyFile,
            configuration.keychain == old.keychain
        else {
            throw StartupFailure("credentials.store, credentials.vault and credentials.keychain change with a restart only")
        }
        let path = context.configurationPath
        let isEgressNew = configuration.egress != old.egress
        let (providers, client) = try await context.blocking {
            (ProviderReferences.read(path), isEgressNew ? try OutboundClient.make(configuration.egress) : nil)
        }
        inForce.withLock { $0 = InForce(configuration: configuration, providers: providers) }
        try await importSecrets()
        refresh()
        guard let client else { return }
        let before = service.current.client
        client.use(ProxyAccess(configuration.egress, store.state))
        service.replace { $0.client = client }
        // Calls under way keep the old client until they end.
        context.background("old HTTP client") { [context] in await Self.end(before, context) }
    }

    /// Calls under way are drained by the kit; the audit trail is written to its end when background work ends.
    package func drain(grace: Duration) async {}

    /// Makes secrets and destinations take effect for calls that begin from now on, and tells peers how this process is.
    func refresh() {
        let inForce = inForce.withLock { $0 }
        let table = DestinationTable(
            inForce.configuration.destinations, providers: inForce.providers, vault: store.state, metrics: context.metrics,
            before: service.current.table, isStale: store.stale != nil)
        service.replace { $0.table = table }
        service.current.client.use(ProxyAccess(inForce.configuration.egress, store.state))
        reportHealth()
    }

    func reportHealth() { context.reportHealth(health) }

    private var health: PeerHealth {
        let table = service.current.table
        if case .failed(let failure) = store.state, table.all.contains(where: { $0.configuration.secret != nil }) {
            return PeerHealth(state: .notServing, reason: failure.message)
        }
        if let stale = store.stale {
            return PeerHealth(state: .degraded, reason: "secrets read before are used for a while: \(stale.message)")
        }
        if let failure = audit.failure {
            return PeerHealth(state: .degraded, reason: "the audit trail cannot be written: \(failure)")
        }
        if let trouble = table.trouble ?? proxyAccess.trouble { return PeerHealth(state: .degraded, reason: trouble.message) }
        return PeerHealth(state: .ready)
    }

    /// What the proxy is shown, as the secrets are now.
    var proxyAccess: ProxyAccess { ProxyAccess(inForce.withLock { $0.configuration.egress }, store.state) }

    private static func end(_ client: OutboundClient, _ context: ServiceContext) async {
        do {
            try await context.eventLoop.sleep(.seconds(60))
        } catch {
            // The process ends: so does the client.
        }
        do {
            try await client.shutdown()
        } catch {
            context.logger.warning("an HTTP client did not end", metadata: ["reason": "\(type(of: error))"])
        }
    }
}
