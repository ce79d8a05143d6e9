import BulkheadCore
import BulkheadServiceKit
import Foundation

// The store as a whole: made, opened, watched.
extension CredentialsDaemon {
    /// The store that the configuration chooses: that one or none.
    static func makeStore(_ configuration: CredentialsConfiguration, _ context: ServiceContext) -> any SecretStore {
        switch configuration.store {
        case .keychain: return Keychain(configuration.keychain)
        case .vault:
            let state = context.stateDirectory
            let key = VaultKeySource.find(
                configured: configuration.keyFile, state: state, makesKey: context.suite.environment == .dev)
            return Vault(path: state + "/vault.bhv", key: key) { CounterTrail.highest(state + "/audit.log", id: $0) }
        }
    }

    var storeVerbs: [AdminVerb] {
        [AdminVerb("vault.unlock") { [self] (command: UnlockCommand) in try await unlock(command) }]
    }

    private func unlock(_ command: UnlockCommand) async throws -> NoValue {
        var material: SecretBytes?
        if let text = command.key {
            guard let key = Data(base64Encoded: text) else {
                throw CallError(.invalidArgument, message: "the key is not base64")
            }
            material = VaultKeys.material(Array(key))
        }
        let acceptsOlder = command.acceptsOlder == true
        try audit.record(AuditEvent(acceptsOlder ? "accept_older" : "unlock", "allow"))
        let problem = try await context.blocking { [store, material] in store.unlock(material, acceptsOlder: acceptsOlder) }
        recordOutcome(AuditEvent("unlock", problem == nil ? "done" : "failed", reason: store.mark))
        if acceptsOlder, problem == nil { recordOutcome(AuditEvent("accept_older", "done", reason: store.mark)) }
        if problem == nil { try await importSecrets() }
        refresh()
        if case .failed(let failure) = store.state { throw failure.callError }
        if let problem, store.kind == .keychain { throw CallError(.failedPrecondition, message: problem) }
        if problem != nil {
            throw CallError(
                .failedPrecondition,
                message: "the vault is open already, and what was given does not open it; nothing was changed")
        }
        return NoValue()
    }

    // MARK: watching

    /// A keyring's fault is to be known within 2 s: this, a look's limit and its grace make 1.75 s.
    private static let lookPause = Duration.milliseconds(500)
    private static let expiryPause = Duration.seconds(1)

    /// Looks after the store until the process ends.
    func watchStore() async {
        var stale = store.stale
        while !Task.isCancelled {
            do {
                try await context.eventLoop.sleep(store.kind == .keychain ? Self.lookPause : Self.expiryPause)
                if store.kind == .keychain, try await context.blocking({ [store] in store.check() }) {
                    refresh()
                    reportStore(from: stale)
                    stale = store.stale
                }
                try await expireFormer()
            } catch is CancellationError {
                return
            } catch {
                context.logger.warning("the store of secrets was not looked after", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func reportStore(from before: StoreFailure?) {
        switch (store.state, store.stale) {
        case (.failed(let failure), _):
            context.logger.error("the store of secrets does not serve", metadata: ["reason": "\(failure.message)"])
        case (.open, let stale?):
            context.logger.error("secrets read before are used for a while", metadata: ["reason": "\(stale.message)"])
            guard before == nil else { return }
            do {
                try audit.record(AuditEvent("stale", "done", peer: "credentials", reason: stale.reason))
            } catch {
                context.logger.error("an outage is not on record", metadata: ["reason": "\(error.message)"])
            }
        case (.open, nil): context.logger.notice("the store of secrets serves")
        }
    }

    /// Destroys former values whose overlap is over, one secret at a time.
    private func expireFormer() async throws {
        // While the trail cannot be written nothing is changed, and no secret is used.
        guard case .open(let secrets) = store.state, store.stale == nil, audit.failure == nil else { return }
        let now = AuditTrail.wallMilliseconds()
        for (name, secret) in secrets where secret.hasExpired(now: now) {
            try await change("expire", name) { $0[name]?.expire(now: now) }
        }
    }

    // MARK: alarms

    /// Somebody tried to use a honeytoken. Telemetry has it from the audit trail.
    static func alarm(_ event: AuditEvent, _ context: ServiceContext) {
        context.logger.error(
            "a honeytoken was used",
            metadata: [
                "secret": "\(event.secret)", "destination": "\(event.destination)", "by": "\(event.peer)",
                "request": "\(event.request)",
            ])
        context.metrics.counter("credentials_honeytokens", help: "Calls that would have used a honeytoken.", labels: []).add()
    }
}
