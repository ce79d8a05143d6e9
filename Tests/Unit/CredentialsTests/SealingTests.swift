import BulkheadCore
import CredentialsService
import Testing

private let one = "base_url: \"https://one.example\", secret: A_KEY, preset: bearer"
private let two = "base_url: \"https://two.example\", secret: A_KEY, preset: openai"

private func asks(_ yaml: String...) throws -> [Grant] {
    try yaml.enumerated().map { index, text in
        var made = try grant(text)
        made.destination = "d\(index)"
        return made
    }
}

private func decide(
    _ occasion: Sealing.Occasion = .set, host: String? = nil, preset: String? = nil, known: SecretPolicy? = nil, asks: [Grant]
) throws -> Sealing {
    try Sealing.decide(occasion, secret: "A_KEY", host: host, preset: preset, known: known, asks: asks)
}

private func sealed(_ grants: [Grant]) -> SecretPolicy {
    SecretPolicy(host: grants[0].place, preset: grants[0].preset, grants: grants, created: 1)
}

@Test("a secret is sealed for what the destinations that refer to it ask for when it is stored")
func sealedAtSet() throws {
    let asks = try asks(one, one + ", methods: [GET]")
    let seal = try decide(asks: asks)
    #expect(seal.grants == asks && seal.isInferred && seal.places == "one.example")
}

@Test("with several hosts the operator says which; all of them can be named")
func severalHosts() throws {
    let asks = try asks(one, two)
    #expect {
        _ = try decide(asks: asks)
    } throws: { ($0 as? CallError)?.message.contains("--host one.example,two.example") == true }
    #expect(try decide(host: "one.example", asks: asks).grants == [asks[0]])
    #expect(try decide(host: "one.example,two.example", asks: asks).grants == asks)
    #expect(try decide(.reseal, known: sealed([asks[0]]), asks: asks).grants == asks)
}

@Test("a host that no destination names is sealed with the preset alone")
func foreignHost() throws {
    let seal = try decide(host: "other.example:8443", preset: "anthropic", asks: try asks(one))
    #expect(seal.grants == [Grant(place: try #require(SealedHost("other.example:8443")), preset: .anthropic)])
    #expect(!seal.isInferred)
    #expect(throws: CallError.self) { try decide(asks: []) }
    for bad in ["", "a b", "127.1", "one.example,", "https://one.example"] {
        #expect(throws: CallError.self, "\(bad)") { try decide(host: bad, asks: try asks(one)) }
    }
    #expect(throws: CallError.self) { try decide(preset: "berer", asks: try asks(one)) }
}

@Test("a new value, typed or from a file, leaves what was sealed as it was, whatever the configuration has become")
func rotationKeeps() throws {
    let known = sealed(try asks(one + ", methods: [GET]"))
    let moved = try asks("base_url: \"https://evil.example\", secret: A_KEY, preset: bearer")
    for occasion in [Sealing.Occasion.rotate, .importing] {
        #expect(try decide(occasion, known: known, asks: moved).grants == known.ceiling)
    }
    #expect(try decide(.importing, asks: moved).grants == moved)
}

@Test("reseal tells what it widens, and nothing when it narrows")
func plan() throws {
    let before = try asks(one + ", methods: [GET], paths: [/a]")
    let after = try asks("base_url: \"https://evil.example\", secret: A_KEY, preset: bearer, methods: [GET], paths: [/a]")
    let widens = try decide(.reseal, known: sealed(before), asks: after).widenings(beyond: sealed(before))
    #expect(widens.map(\.destination) == ["d0"] && widens.first?.widens.map(\.what) == ["host"])
    #expect(widens.first?.text.contains("evil.example (sealed: one.example)") == true)
    let narrower = try asks(one + ", methods: [GET], paths: []")
    #expect(try decide(.reseal, known: sealed(before), asks: narrower).widenings(beyond: sealed(before)).isEmpty)
}

@Test("a secret of before grants were kept is held to its host and preset")
func oldPolicy() throws {
    let old = SecretPolicy(host: try #require(SealedHost("one.example")), preset: .bearer, created: 1)
    #expect(old.ceiling.count == 1)
    let asks = try asks(one, two)
    #expect(old.ceiling.contains { $0.covers(asks[0]) } && !old.ceiling.contains { $0.covers(asks[1]) })
}

@Test("where a client secret goes for tokens is shown, and what changes of it")
func tokenEndpoint() throws {
    func at(_ host: String) throws -> Grant {
        try grant(
            "base_url: \"https://one.example\", secret: A_KEY, preset: oauth2, "
                + "oauth: { token_url: \"https://\(host)/token\", client_id: me }")
    }
    let seal = try decide(asks: [try at("login.example")])
    #expect(seal.places == "one.example, https://login.example/token for tokens")
    let changed = try decide(.reseal, known: sealed(seal.grants), asks: [try at("evil.example")])
    let told = changed.widenings(beyond: sealed(seal.grants)).flatMap(\.widens)
    #expect(told.map(\.what) == ["oauth"])
    #expect(told.first?.asked.contains("https://evil.example/token") == true)
    #expect(told.first?.sealed.contains("https://login.example/token") == true)
}

@Test(
    "a value that its preset cannot use is told when it is stored",
    arguments: [
        ("preset: aws-sigv4, region: eu-central-1", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI"),
        ("preset: standard-webhooks", "whsec_!!!notbase64", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        ("preset: path, path: \"/bot{secret}\"", "has/slash%%x", "1234:has-none-of-them"),
    ])
func unusableValue(_ preset: String, _ bad: String, _ good: String) throws {
    let seal = try decide(asks: [try grant("base_url: \"https://one.example\", secret: A_KEY, \(preset)")])
    let told = try #require(seal.problem(with: Array(bad.utf8)))
    #expect(told.hasPrefix("the value ") && !told.contains(bad))
    #expect(seal.problem(with: Array(good.utf8)) == nil)
}
