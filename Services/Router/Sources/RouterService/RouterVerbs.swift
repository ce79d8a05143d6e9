import BulkheadServiceKit

/// The router's own admin verbs.
package struct RouterVerbs: Sendable {
    package let settings: @Sendable () -> RouterSettings
    package let breakers: TargetBreakers
    package let switches: TargetSwitches
    package let tallies: TargetTallies

    private var reports: ModelReports {
        ModelReports(settings: settings(), breakers: breakers, switches: switches, tallies: tallies)
    }

    package var all: [AdminVerb] {
        [
            AdminVerb("models") { (_: NoValue) in reports.models() },
            AdminVerb("providers") { (_: NoValue) in reports.providers() },
            AdminVerb("explain") { (asked: ExplainArguments) in
                try RouteExplainer(settings: settings(), breakers: breakers, switches: switches).explain(asked)
            },
        ]
    }
}
