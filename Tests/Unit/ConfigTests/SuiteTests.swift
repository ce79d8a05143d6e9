import BulkheadConfig
import Foundation
import Testing

/// A service that reads nothing of its own.
private struct NoConfiguration: ServiceConfiguration {
    static let sectionName = "edge"
    init(section: ConfigSection, suite: SuiteConfiguration) {}
}

private func suite(_ text: String) throws -> (suite: SuiteConfiguration, problems: [String]) {
    let document = try ConfigDocument.parse(text, file: "f.yaml")
    let suite = SuiteConfiguration(section: document.section("suite"))
    return (suite, document.finish(knownSections: SuiteConfiguration.sectionNames).map(\.description))
}

@Test("without a suite section the defaults are those of development on one machine")
func suiteDefaults() throws {
    let loaded = try loadConfiguration(NoConfiguration.self, text: "", file: "f.yaml")
    #expect(loaded.suite.environment == .dev)
    #expect(loaded.suite.runDir == ".bulkhead/run")
    #expect(loaded.suite.stateDir == ".bulkhead/state")
    #expect(loaded.suite.logLevel == .info)
    #expect(loaded.suite.stores.durable == .sqlite)
    #expect(loaded.suite.stores.fast == .local)
    #expect(loaded.suite.links.isEmpty)
}

@Test("production keeps its folders where the system expects them")
func productionDefaults() throws {
    let loaded = try loadConfiguration(NoConfiguration.self, text: "suite: { environment: production }", file: "f.yaml")
    #expect(loaded.suite.runDir == "/run/bulkhead")
    #expect(loaded.suite.stateDir == "/var/lib/bulkhead")
}

@Test("a link's override changes what it names")
func linkOverrides() throws {
    let text = """
        suite:
          links:
            edge.router:
              deadline: 600s
              breaker: { failures: 5, failure_ratio: 0.5, min_requests: 20, window: 10s, open_for: 500ms, open_for_max: 30s }
            edge.session: { deadline: 2s }
        """
    let read = try suite(text)
    #expect(read.problems == [])
    #expect(
        read.suite.links["edge.router"]
            == LinkOverride(
                deadline: .seconds(600), failures: 5, failureRatio: 0.5, minRequests: 20, window: .seconds(10),
                openFor: .milliseconds(500), openForMax: .seconds(30)))
    #expect(read.suite.links["edge.session"] == LinkOverride(deadline: .seconds(2)))
}

@Test("a link that does not exist is a problem at its name")
func unknownLinks() throws {
    let read = try suite("suite:\n  links:\n    edge.ruter: { deadline: 1s }\n    router.edge: {}\n")
    #expect(read.problems.count == 2)
    #expect(read.problems.first?.hasPrefix("f.yaml:3:5: suite.links.edge.ruter: unknown key; did you mean edge.router?") == true)
    #expect(read.problems.last?.hasPrefix("f.yaml:4:5: suite.links.router.edge: unknown key") == true)
}

@Test("a breaker that opens for longer than its longest is a problem")
func breakerBounds() throws {
    let read = try suite("suite: { links: { edge.router: { breaker: { open_for: 10s, open_for_max: 1s } } } }")
    #expect(read.problems == ["f.yaml:1:74: suite.links.edge.router.breaker.open_for_max: 1s (expected at least open_for, 10s)"])
}

@Test("a store without its server is a problem")
func storesWithoutServers() throws {
    let read = try suite("suite:\n  stores: { durable: postgres, fast: redis }\n")
    #expect(
        read.problems == [
            "f.yaml:2:22: suite.stores.durable: postgres without a server (expected suite.stores.postgres.url, or sqlite)",
            "f.yaml:2:38: suite.stores.fast: redis without a server (expected suite.stores.redis.url, or local)",
        ])
}

@Test(
    "the addresses of stores take every documented form",
    arguments: [
        ("redis", "redis://127.0.0.1:6379/0"), ("redis", "rediss://:pw@cache:6380"), ("redis", "unix:///run/redis.sock"),
        ("redis", "redis+sentinel://a:26379,b:26379/main"), ("redis", "redis+cluster://a:1,b:2"),
        ("postgres", "postgresql:///bulkhead?host=/run/postgresql"), ("postgres", "postgresql://u:p@127.0.0.1:5432/db"),
    ])
func storeAddresses(_ kind: String, _ url: String) throws {
    let durable = kind == "postgres" ? "durable: postgres" : "fast: redis"
    let read = try suite("suite: { stores: { \(durable), \(kind): { url: \"\(url)\" } } }")
    #expect(read.problems == [])
    #expect((kind == "postgres" ? read.suite.stores.postgres?.url : read.suite.stores.redis?.url) == url)
}

@Test("a run folder too long for the address of a socket is a problem")
func runDirTooLong() throws {
    let long = "/tmp/" + String(repeating: "x", count: 80)
    #expect(try suite("suite: { run_dir: \(long) }").problems.count == 1)
    #expect(try suite("suite: { run_dir: \(long.dropLast()) }").problems == [])
}

@Test("a refused configuration carries every problem, ready for JSON")
func problemsAsJSON() throws {
    #expect {
        try loadConfiguration(NoConfiguration.self, text: "suite:\n  log_levle: info\n", file: "f.yaml")
    } throws: { error in
        let problems = (error as? ConfigProblems)?.problems ?? []
        let json = try JSONEncoder().encode(problems)
        return try problems.count == 1 && problems.first?.suggestion == "log_level"
            && JSONDecoder().decode([ConfigProblem].self, from: json) == problems
    }
}

@Test("in JSON a problem without a suggestion says so, and a setting tells its source and line")
func jsonShapes() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func json(_ value: some Encodable) throws -> String { String(decoding: try encoder.encode(value), as: UTF8.self) }
    let problem = ConfigProblem(file: "f.yaml", line: 1, column: 2, key: "a", found: "b", expected: "c")
    #expect(
        try json(problem)
            == #"{"column":2,"expected":"c","file":"f.yaml","found":"b","key":"a","line":1,"suggestion":null}"#)
    let set = EffectiveValue(key: "a", value: "5", source: .file(line: 3))
    let unset = EffectiveValue(key: "b", value: "6", source: .defaulted)
    #expect(try json(set) == #"{"key":"a","line":3,"source":"file","value":"5"}"#)
    #expect(try json(unset) == #"{"key":"b","line":null,"source":"default","value":"6"}"#)
    for value in [set, unset] { #expect(try JSONDecoder().decode(EffectiveValue.self, from: encoder.encode(value)) == value) }
}

@Test("the files that ship are valid", arguments: ["deploy/config/bulkhead.minimal.yaml", "deploy/config/bulkhead.example.yaml"])
func shippedFiles(_ path: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let loaded = try loadConfiguration(NoConfigurationButKeys.self, path: root.appending(path: path).path)
    #expect(loaded.service.names.isEmpty == path.contains("minimal"))
}

@Test("what init writes is valid, and says what the defaults are")
func template() throws {
    let loaded = try loadConfiguration(NoConfigurationButKeys.self, text: ConfigTemplate.development, file: "f.yaml")
    let defaults = try loadConfiguration(NoConfiguration.self, text: "", file: "f.yaml")
    #expect(loaded.suite.runDir == defaults.suite.runDir)
    #expect(loaded.suite.stateDir == defaults.suite.stateDir)
    #expect(loaded.service.names == ["listen", "auth", "guardrails"])
}

/// A service whose keys are not judged here.
private struct NoConfigurationButKeys: ServiceConfiguration {
    static let sectionName = "edge"
    var names: [String]

    init(section: ConfigSection, suite: SuiteConfiguration) {
        names = section.keys()
        for name in names { _ = section.contains(name) }
        // Sections within are asked for, so that their duplicates would be found.
        _ = section.map("guardrails_of_no_one")
    }
}
