import BulkheadCore
import Glibc

/// One line of `bulkhead-router models`.
package struct ModelRow: Codable, Sendable {
    package var name: String
    /// `provider/model` in the order of the configuration.
    package var targets: [String]
    package var strategy: String
    package var fallbacks: [String]
    package var onStreamBreak: String
    /// The same targets, with how they are.
    package var details: [TargetRow]
}

/// One target of a model, with how it is.
package struct TargetRow: Codable, Sendable {
    /// `provider/model`; `*` for the name the client sends.
    package var target: String
    package var dialect: String
    package var weight: Int
    /// closed | open | half-open | forced-open | forced-closed | disabled
    package var state: String
    /// Milliseconds until an open breaker lets a probe through.
    package var nextProbeMilliseconds: Int?
    package var hasPrice: Bool
    /// Tokens; nil: not known.
    package var context: Int?
    /// Tries since the router started, over all models that lead here, and those of them that failed.
    package var tries: Int
    package var failures: Int
}

/// One line of `bulkhead-router providers`.
package struct ProviderRow: Codable, Sendable {
    package var name: String
    package var destination: String
    package var dialect: String
    package var serve: String
    /// Names that lead here without being configured, as patterns.
    package var serves: [String]
    /// Configured models that have a target here.
    package var models: [String]
    /// Targets that are not asked: switched off, or their breaker is open.
    package var unavailable: [String]
    /// Tries since the router started, and those of them that failed.
    package var tries: Int
    package var failures: Int
}

/// Makes the lines of `models` and `providers`.
package struct ModelReports: Sendable {
    package let settings: RouterSettings
    package let breakers: TargetBreakers
    package let switches: TargetSwitches
    package let tallies: TargetTallies

    package init(settings: RouterSettings, breakers: TargetBreakers, switches: TargetSwitches, tallies: TargetTallies) {
        self.settings = settings
        self.breakers = breakers
        self.switches = switches
        self.tallies = tallies
    }

    package func models() -> [ModelRow] {
        settings.configuration.models.map { model in
            let details = model.targets.compactMap { row($0) }
            return ModelRow(
                name: model.name, targets: details.map(\.target), strategy: model.strategy.rawValue,
                fallbacks: model.fallbacks.map(\.rawValue), onStreamBreak: model.onStreamBreak.rawValue, details: details)
        }
    }

    package func providers() -> [ProviderRow] {
        let models = models()
        return settings.configuration.providers.map { provider in
            let prefix = provider.name + "/"
            let targets = models.flatMap(\.details).filter { $0.target.hasPrefix(prefix) }
            let off = Set(targets.filter { ["open", "forced-open", "disabled"].contains($0.state) }.map(\.target))
            let tally = tallies.ofProvider(provider.name)
            return ProviderRow(
                name: provider.name, destination: provider.destination, dialect: provider.dialect.rawValue,
                serve: provider.serve.rawValue, serves: RoutingTable.served(by: provider),
                models: models.filter { $0.targets.contains { $0.hasPrefix(prefix) } }.map(\.name), unavailable: off.sorted(),
                tries: tally.tries, failures: tally.failures)
        }
    }

    private func row(_ configured: TargetConfiguration) -> TargetRow? {
        guard let provider = settings.configuration.providers.first(where: { $0.name == configured.provider }) else { return nil }
        let model = provider.modelName(configured.model)
        let target = Target(
            provider: provider.name, destination: provider.destination, dialect: provider.dialect,
            model: model.isEmpty ? "*" : model, weight: configured.weight)
        let (state, probe) = breakers.look(target)
        let tally = tallies.of(target)
        return TargetRow(
            target: target.label, dialect: target.dialect.rawValue, weight: target.weight,
            state: switches.isDisabled(target.label) ? "disabled" : state.rawValue,
            nextProbeMilliseconds: probe.map { max(0, Int(($0 - .now()).milliseconds)) },
            hasPrice: settings.catalog.price(target.model, at: time(nil)) != nil,
            context: settings.catalog.facts(target.model).contextWindow, tries: tally.tries, failures: tally.failures)
    }
}
