import BulkheadServiceKit

/// The router's own admin verbs.
package struct RouterVerbs: Sendable {
    package let settings: @Sendable () -> RouterSettings
    package let breakers: TargetBreakers
    package let switches: TargetSwitches
    package let tallies: TargetTallies
    package let cooldowns: CredentialCooldowns

    private var reports: ModelReports {
        ModelReports(settings: settings(), breakers: breakers, switches: switches, tallies: tallies)
    }

    package var all: [AdminVerb] {
        [
            AdminVerb("models") { (_: NoValue) in reports.models() },
            AdminVerb("providers") { (_: NoValue) in reports.providers() },
            AdminVerb("explain") { (asked: ExplainArguments) in
                let gate = TargetGate(breakers: breakers, cooldowns: cooldowns, switches: switches)
                return try RouteExplainer(settings: settings(), gate: gate).explain(asked)
            },
        ]
    }
}
