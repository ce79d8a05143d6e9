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
    ///   - providers: names of the destinations that a provider refers to.
    package init(
        _ configurations: [DestinationConfiguration], providers: Set<String>, vault: Vault.State,
        metrics: MetricsRegistry = MetricsRegistry(service: "credentials"), isStale: Bool = false
    ) {
        self.isStale = isStale
        all = configurations.map { configuration in
            Destination(
                configuration, isProvider: providers.contains(configuration.name), secret: Self.use(of: configuration, vault),
                metrics: DestinationMetrics(metrics, destination: configuration.name))
        }
        byName = Dictionary(all.map { ($0.configuration.name, $0) }) { first, _ in first }
    }

    /// - Throws: NOT_FOUND `destination_unknown`.
    package func find(_ name: String) throws(CallError) -> Destination {
        if let destination = byName[name] { return destination }
        throw Self.unknown(name)
    }

    /// The answer for a destination that does not exist.
    static func unknown(_ name: String) -> CallError {
        let shown = DestinationConfiguration.isName(name) ? name : "of that name"
        return CallError(
            .notFound, reason: "destination_unknown",
            message: "there is no destination \(shown); `credentials.destinations` lists them",
            notProcessed: true)
    }

    /// Destinations that inject the secret.
    package func using(secret: String) -> [Destination] { all.filter { $0.configuration.secret == secret } }

    /// The first reason why a destination of a provider cannot be used; nil when all can.
    package var trouble: CallError? {
        for destination in all where destination.isProvider {
            if case .unusable(let error) = destination.secret { return error }
        }
        return nil
    }

    private static func use(of configuration: DestinationConfiguration, _ vault: Vault.State) -> SecretUse {
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
        if let conflict = conflict(configuration, stored.policy, name) {
            return .unusable(CallError(.permissionDenied, reason: "destination_denied", message: conflict, notProcessed: true))
        }
        return .ready(Injection(configuration.injection, value: stored.value))
    }

    /// What in the configuration goes beyond what was sealed; nil when nothing does.
    private static func conflict(_ configuration: DestinationConfiguration, _ policy: SecretPolicy, _ name: String) -> String? {
        if policy.host != configuration.place {
            return "secret \(name) is sealed for another host, \(policy.host), than destination \(configuration.name) names: "
                + "run bulkhead-credentials reseal \(name)"
        }
        if policy.preset != configuration.injection.preset {
            return "secret \(name) is sealed with preset \(policy.preset.rawValue), destination \(configuration.name) has preset "
                + "\(configuration.injection.preset.rawValue): run bulkhead-credentials reseal \(name)"
        }
        return nil
    }

    private static func refusal(_ reason: String, _ message: String) -> CallError {
        CallError(.failedPrecondition, reason: reason, message: message, notProcessed: true)
    }
}
