import BulkheadConfig
import Testing

private enum Dialect: String, CaseIterable { case openai, anthropic, gemini }
private enum Strategy: String, CaseIterable { case ordered, weighted }
private enum StreamBreak: String, CaseIterable { case error, replay, `continue`, buffer }
private enum When: String, CaseIterable { case always, deterministic, off }
private enum Store: String, CaseIterable { case vault, keychain }
private enum Preset: String, CaseIterable { case openai, bearer, basic, header }

/// The router's section, as far as the file below has it.
private struct Routes: ServiceConfiguration {
    static let sectionName = "router"

    init(section: ConfigSection, suite: SuiteConfiguration) {
        let names = section.list("providers").map(Self.provider)
        for model in section.list("models") { Self.model(model, providers: names) }
        _ = section.section("breaker").double("failure_ratio", default: 0.5, in: 0 ... 1)
        _ = section.section("cache").section("exact").choice("when", default: When.always)
    }

    private static func provider(_ section: ConfigSection) -> String {
        _ = section.optionalString("destination")
        _ = section.choice("dialect", default: Dialect.openai)
        return section.requiredString("name")
    }

    private static func model(_ section: ConfigSection, providers: [String]) {
        _ = section.requiredString("name")
        _ = section.choice("strategy", default: Strategy.ordered)
        for target in section.list("targets") {
            target.reference("provider", target.requiredString("provider"), among: providers, what: "a provider")
            _ = target.requiredString("model")
        }
        _ = section.section("timeouts").duration("connect", default: .seconds(3), in: .milliseconds(1) ... .seconds(60))
        _ = section.section("retry").int("tries_per_target", default: 2, in: 1 ... 10)
        _ = section.choice("on_stream_break", default: StreamBreak.replay)
    }
}

/// The section of the credentials service, as far as the file below has it.
private struct Destinations: ServiceConfiguration {
    static let sectionName = "credentials"

    init(section: ConfigSection, suite: SuiteConfiguration) {
        _ = section.choice("store", default: Store.vault)
        for (_, destination) in section.map("destinations") {
            _ = destination.requiredURL("base_url", schemes: ["https", "http"])
            _ = destination.secretName("secret")
            _ = destination.choice("preset", default: Preset.bearer)
        }
    }
}

private func places<Service: ServiceConfiguration>(_ type: Service.Type, _ text: String) -> [String] {
    do {
        _ = try loadConfiguration(type, text: text, file: "f.yaml")
        return []
    } catch {
        return "\(error)".split(separator: "\n").map(String.init)
    }
}

@Test("a file with a mistake in every line names every line")
func routerFile() {
    let text = """
        suite:
          environment: dev
          run_dir: /tmp/r
          log_levle: info
        router:
          providers:
            - { name: demo, destination: demo, dialect: opnai }
          models:
            - name: assistant
              stratgy: ordered
              targets:
                - { provider: nowhere, model: m }
              timeouts: { connect: 3parsecs }
              retry: { tries_per_target: many }
              on_stream_break: explode
          breaker: { failure_ratio: 7.5 }
          cache:
            exact: { when: always }
            exact: { when: "off" }
        """
    let expected = [
        "f.yaml:4:3: suite.log_levle: unknown key; did you mean log_level?",
        "f.yaml:7:49: router.providers[0].dialect: opnai; did you mean openai?",
        "f.yaml:10:7: router.models[0].stratgy: unknown key; did you mean strategy?",
        "f.yaml:12:23: router.models[0].targets[0].provider: nowhere (expected a provider, one of: demo)",
        "f.yaml:13:28: router.models[0].timeouts.connect: 3parsecs",
        "f.yaml:14:34: router.models[0].retry.tries_per_target: many",
        "f.yaml:15:24: router.models[0].on_stream_break: explode (expected one of: error, replay, continue, buffer)",
        "f.yaml:16:29: router.breaker.failure_ratio: 7.5 (expected a number from 0 to 1)",
        "f.yaml:19:5: router.cache.exact: duplicate key, first on line 18",
    ]
    let found = places(Routes.self, text)
    #expect(found.count == expected.count)
    for (line, start) in zip(found, expected) { #expect(line.hasPrefix(start)) }
}

@Test("a file of destinations with a secret typed in tells the place, not the secret")
func credentialsFile() {
    let secret = "sk-proj-" + String(repeating: "Zq7", count: 14)
    let text = """
        credentials:
          store: cloud
          destinations:
            one: { base_url: "not a url", secret: ONE_KEY, preset: bearer }
            two: { base_url: "https://api.example.com", secret: TWO_KEY, preset: berer }
            three: { base_url: "https://api.example.com", secret: "\(secret)", preset: bearer }
            four: { base_ulr: "https://api.example.com" }
        """
    let expected = [
        "f.yaml:2:10: credentials.store: cloud (expected one of: vault, keychain)",
        "f.yaml:4:22: credentials.destinations.one.base_url: \"not a url\" (expected an absolute URL",
        "f.yaml:5:74: credentials.destinations.two.preset: berer; did you mean bearer?",
        "f.yaml:6:59: credentials.destinations.three.secret: (hidden) (expected the name of a secret",
        "f.yaml:7:5: credentials.destinations.four.base_url: nothing (expected an absolute URL",
        "f.yaml:7:13: credentials.destinations.four.base_ulr: unknown key; did you mean base_url?",
    ]
    let found = places(Destinations.self, text)
    #expect(found.count == expected.count)
    for (line, start) in zip(found, expected) { #expect(line.hasPrefix(start)) }
    #expect(!found.joined().contains("Zq7"))
}
