import BulkheadConfig
import BulkheadResilience

/// The section `router`.
package struct RouterConfiguration: ServiceConfiguration {
    package static let sectionName = "router"

    /// Who can be asked, in file order; names are unique.
    package var providers: [ProviderConfiguration]
    /// The names clients may send, in file order; names are unique.
    package var models: [ModelConfiguration]
    /// One breaker of this shape for every target.
    package var breaker: CircuitBreaker.Configuration
    /// What the operator knows of models, over the built-in table.
    package var modelInfo: [ModelOverride]
    /// When and how long answers are kept.
    package var cache: AnswerCacheConfiguration

    /// Reads the section; problems are reported into it.
    package init(section: ConfigSection, suite: SuiteConfiguration) {
        providers = section.list("providers").map { ProviderConfiguration(section: $0) }
        models = []
        let names = providers.map(\.name)
        let builtin = Set(providers.filter { $0.dialect == .builtin }.map(\.name))
        models = section.list("models").map { ModelConfiguration(section: $0, providers: names, builtin: builtin) }
        breaker = Self.breaker(section.section("breaker"))
        modelInfo = ModelOverride.all(section)
        cache = AnswerCacheConfiguration(section: section.section("cache"))
        RouteLint.check(section.list("models"), models, cache)
        TargetLint.check(section, self)
        Self.refuseDuplicates(section.list("providers"), names, what: "provider")
        Self.refuseDuplicates(section.list("models"), models.map(\.name), what: "model")
    }

    private static func breaker(_ section: ConfigSection) -> CircuitBreaker.Configuration {
        let openFor = section.duration("open_for", default: .seconds(30), in: .milliseconds(10) ... .seconds(3600))
        return CircuitBreaker.Configuration(
            failures: section.int("failures", default: 5, in: 1 ... 10_000),
            failureRatio: section.double("failure_ratio", default: 0.5, in: 0.01 ... 1),
            minRequests: section.int("min_requests", default: 20, in: 1 ... 1_000_000),
            window: section.duration("window", default: .seconds(10), in: .milliseconds(100) ... .seconds(3600)),
            // A provider that stays broken is asked rarely, but never less than every five minutes.
            openFor: openFor, openForMax: max(openFor, min(openFor * 8, .seconds(300))),
            halfOpenSuccesses: section.int("half_open_successes", default: 2, in: 1 ... 100))
    }

    private static func refuseDuplicates(_ sections: [ConfigSection], _ names: [String], what: String) {
        var seen: Set<String> = []
        for (section, name) in zip(sections, names) where !name.isEmpty {
            if !seen.insert(name).inserted {
                section.report("name", found: name, expected: "each \(what) once; this name is taken by one above")
            }
        }
    }
}
