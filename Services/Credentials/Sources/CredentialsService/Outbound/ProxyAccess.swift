import BulkheadCore

/// What a proxy is shown before it opens a way.
package enum ProxyAccess: Sendable {
    /// Nothing: it does not ask.
    case open
    /// `user:password`.
    case pair(SecretBytes)
    /// What it asks for cannot be used: nothing goes through it.
    case unusable(CallError)

    /// As the secrets are.
    package init(_ egress: EgressConfiguration, _ state: StoreState) {
        guard let name = egress.proxySecret, let grant = egress.proxyGrant else {
            self = .open
            return
        }
        switch state {
        case .failed(let failure): self = .unusable(failure.callError)
        case .open(let secrets): self = Self.access(name, grant, secrets[name])
        }
    }

    /// Why nothing goes through; nil when something may.
    package var trouble: CallError? {
        if case .unusable(let error) = self { return error }
        return nil
    }

    private static func access(_ name: String, _ grant: Grant, _ stored: StoredSecret?) -> ProxyAccess {
        let store = "bulkhead-credentials set \(name)"
        guard let stored else {
            return refused("secret_missing", "secret \(name) of the proxy \(grant.place) is not stored (\(store))")
        }
        if stored.policy.revoked > 0 {
            return refused("secret_revoked", "secret \(name) of the proxy \(grant.place) is revoked (\(store) stores a new one)")
        }
        guard !stored.life.isHoneytoken else {
            return refused("honeytoken", "secret \(name) of the proxy \(grant.place) is a honeytoken: nobody is to use it")
        }
        guard stored.policy.ceiling.contains(where: { $0.covers(grant) }) else {
            return refused(
                "destination_denied",
                "secret \(name) is not sealed for the proxy \(grant.place) with preset basic: bulkhead-credentials reseal \(name)"
            )
        }
        return .pair(stored.value)
    }

    private static func refused(_ reason: String, _ message: String) -> ProxyAccess {
        .unusable(CallError(.failedPrecondition, reason: reason, message: message, notProcessed: true))
    }
}
