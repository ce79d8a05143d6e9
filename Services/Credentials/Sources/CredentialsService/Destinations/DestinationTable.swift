import BulkheadCore
import BulkheadObservability

/// All destinations with their secrets at one moment. Immutable: a change makes a new table, which calls see at once.
package final class DestinationTable: Sendable {
    /// In the order of the configuration.
    package let all: [Destination]
    /// Whether its secrets were read before an outage of the store.
    let isStale: Bool
    private let byName: [String: Destination]

    /// - Parameters:
    ///   - providers: what the other services' sections refer to.
    ///   - before: the table in force until now: its destinations keep count of their calls.
    package init(
        _ configurations: [DestinationConfiguration], providers: ProviderReferences, vault: Vault.State,
        metrics: MetricsRegistry = MetricsRegistry(service: "credentials"), before: DestinationTable? = nil, isStale: Bool = false
    ) {
        self.isStale = isStale
        let needles = HostNeedles(configurations, vault)
        all = configurations.map { configuration in
            let callers = configuration.callers(with: providers)
            return Destination(
                configuration, isProvider: providers.providers.contains(configuration.name), callers: callers,
                secret: Self.use(of: configuration, callers, vault, needles),
                metrics: DestinationMetrics(metrics, destination: configuration.name),
                rate: before?.byName[configuration.name]?.rate)
        }
        byName = Dictionary(all.map { ($0.configuration.name, $0) }) { first, _ in first }
    }

    /// - Throws: NOT_FOUND `destination_unknown`.
    package func find(_ name: String) throws(CallError) -> Destination {
        // A name that is none is never looked up: its length is the caller's choice.
        if DestinationConfiguration.isName(name), let destination = byName[name] { return destination }
        throw Self.unknown(name)
    }

    /// The answer for a destination that does not exist, and for one that is not the caller's: who may not call it does not
    /// learn that it exists.
    static func unknown(_ name: String) -> CallError {
        let shown = DestinationConfiguration.isName(name) ? name : "of that name"
        return CallError(
            .notFound, reason: "destination_unknown",
            message: "there is no destination \(shown) for this service; `callers` under `credentials.destinations` says who may "
                + "call which",
            notProcessed: true)
    }

    /// Destinations that inject the secret.
    package func using(secret: String) -> [Destination] { all.filter { $0.configuration.secret == secret } }

    /// The first reason why a destination cannot be used, providers' before others'; nil when all can. A honeytoken is no
    /// trouble: nobody is to use it.
    package var trouble: CallError? {
        let providers = all.filter(\.isProvider)
        for destination in providers + all.filter({ !$0.isProvider }) {
            if case .unusable(let error) = destination.secret, error.reason != "honeytoken" { return error }
        }
        return nil
    }

    private static func use(
        of configuration: DestinationConfiguration, _ callers: Set<String>, _ vault: Vault.State, _ needles: HostNeedles
    ) -> SecretUse {
        guard let name = configuration.secret else { return .none }
        let secrets: [String: StoredSecret]
        switch vault {
        case .failed(let failure): return .unusable(failure.callError)
        case .open(let items): secrets = items
        }
        guard let stored = secrets[name] else {
            return .unusable(refusal("secret_missing", "secret \(name) is not stored (bulkhead-credentials set \(name))"))
        }
        if stored.policy.revoked > 0 {
            return .unusable(
                refusal("secret_revoked", "secret \(name) is revoked (bulkhead-credentials set \(name) stores a new one)"))
        }
        if stored.life.isHoneytoken {
            return .unusable(refusal("honeytoken", "secret \(name) is a honeytoken: nobody is to use it"))
        }
        let conflict = stored.policy.conflict(with: Grant(configuration, callers: callers), secret: name)
        if let conflict {
            return .unusable(CallError(.permissionDenied, reason: "destination_denied", message: conflict, notProcessed: true))
        }
        return .ready(
            Injection(
                configuration.injection, value: stored.value, previous: stored.former.last?.value,
                needles: needles.of(configuration.place)))
    }

    private static func refusal(_ reason: String, _ message: String) -> CallError {
        CallError(.failedPrecondition, reason: reason, message: message, notProcessed: true)
    }
}
