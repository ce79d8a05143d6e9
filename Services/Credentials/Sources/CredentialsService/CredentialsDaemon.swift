import AsyncHTTPClient
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
        let store = Self.makeStore(configuration, context)
        let path = context.configurationPath
        let opened = try await context.blocking {
            (
                problem: store.open(), audit: try AuditTrail(folder: context.stateDirectory),
                providers: ProviderReferences.read(path),
                client: try OutboundClient.make(configuration.egress)
            )
        }
        if let problem = opened.problem {
            context.logger.error("the store of secrets is not open", metadata: ["reason": "\(problem)"])
        }
        self.store = store
        audit = opened.audit
        let table = DestinationTable(
            configuration.destinations, providers: opened.providers, vault: store.state, metrics: context.metrics,
            isStale: store.stale != nil)
        service = CallService(CallSurroundings(table: table, client: opened.client), audit: opened.audit) { event in
            Self.alarm(event, context)
        }
        inForce = Mutex(InForce(configuration: configuration, providers: opened.providers))
    }

    package var methods: [ServerMethod] { CredentialsMethods.serve(service) }

    package var verbs: [AdminVerb] { secretVerbs + storeVerbs + policyVerbs + inspectionVerbs }

    package func start() async throws {
        try await importSecrets()
        refresh()
        context.background("store of secrets") { [self] in await watchStore() }
        context.background("audit trail") { [self] in await writeAudit() }
    }

    /// Under load the records of this long leave with one write: a write for each call cost a twentieth of it.
    private static let auditPause: Duration = .milliseconds(10)

    private func pauseAudit() async {
        do {
            try await context.eventLoop.sleep(Self.auditPause)
        } catch {
            // The process ends: no pause is needed.
        }
    }

    /// Writes the audit trail until the process ends. What could not be written is tried again with every call that comes.
    private func writeAudit() async {
        for await _ in audit.wakeups {
            let before = audit.failure
            do {
                try await context.blocking { [audit] in audit.flush() }
            } catch {
                // Cancelled, or too much blocking work waits: the records wait in memory.
                continue
            }
            await pauseAudit()
            guard audit.failure != before else { continue }
            reportHealth()
            if let failure = audit.failure {
                context.logger.error("the audit trail cannot be written", metadata: ["reason": "\(failure)"])
            }
        }
        // The process ends; calls that ended after `drain` began are still to be written, and nothing waits for the loop.
        audit.flush()
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
        if let trouble = table.trouble { return PeerHealth(state: .degraded, reason: trouble.message) }
        return PeerHealth(state: .ready)
    }

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
