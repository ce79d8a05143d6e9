import BulkheadConfig
import CredentialsService
import Testing

/// What a destination asks for.
func grant(_ yaml: String, callers: Set<String> = ["edge"]) throws -> Grant {
    Grant(try destination(yaml).configuration, callers: callers)
}

private func strict() throws -> Grant {
    try grant(
        """
        base_url: "https://api.example.com:8443/v1", secret: A_KEY, preset: header, header: X-Token, methods: [GET, POST], \
        paths: [/a/*, "/b/**", /c], private_network: false, headers: { allow: [X-One, X-Two] }, \
        tls: { minimum: "1.3", pins: ["sha256/\(pinA)", "sha256/\(pinB)"] }, rate: { rpm: 60, burst: 10 }, \
        limits: { max_request: 1MiB, max_response: 2MiB }, probe: { path: /c }
        """, callers: ["edge", "session"])
}

private let pinA = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
private let pinB = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="

private typealias Change = @Sendable (inout GrantTerms) -> Void

/// Each asks for less than, or as much as, what it changes.
private let narrowings: [Change] = [
    { $0.methods = ["GET"] }, { $0.methods = [] }, { $0.paths = ["/a/x"] }, { $0.paths = ["/b/*/x", "/c"] },
    { $0.paths = ["/b/x/**"] }, { $0.paths = [] }, { $0.callers = ["edge"] }, { $0.callers = [] },
    { $0.headers = .listed(["x-one"]) }, { $0.headers = .listed(["range"]) }, { $0.headers = .listed([]) },
    { $0.privateNetwork = false }, { $0.plainHTTP = false }, { $0.isTLS = true }, { $0.tls.minimum = .v13 },
    { $0.tls.pins = [pinA] }, { $0.maxRequest /= 2 }, { $0.maxResponse -= 1 }, { $0.rate = RateRule(rpm: 60, burst: 1) },
    { $0.rate = RateRule(rpm: 1, burst: 10) }, { $0.probe = nil },
    {
        $0.base = "/v1/b"
        $0.paths = nil
    },
    {
        $0.base = ""
        $0.paths = ["/v1/a/*"]
    },
]

/// Each asks for more than `strict`, in the one thing it is named by.
private let widenings: [(String, Change)] = [
    ("methods", { $0.methods = ["GET", "POST", "PUT"] }), ("methods", { $0.methods = nil }),
    ("paths", { $0.paths = ["/d"] }), ("paths", { $0.paths = ["/a/**"] }), ("paths", { $0.paths = ["/**"] }),
    ("paths", { $0.paths = nil }), ("paths", { $0.base = "" }), ("paths", { $0.base = "/v2" }), ("paths", { $0.base = "/v1/c" }),
    ("paths", { $0.paths = ["/A/x"] }), ("paths", { $0.paths = ["/c/"] }), ("callers", { $0.callers = ["edge", "router"] }),
    ("headers", { $0.headers = .ordinary }), ("headers", { $0.headers = .listed(["x-one", "x-three"]) }),
    ("headers", { $0.headers = .listed(["x-http-method-override"]) }), ("private_network", { $0.privateNetwork = true }),
    ("plain_http", { $0.plainHTTP = true }), ("scheme", { $0.isTLS = false }), ("tls", { $0.tls.minimum = .v12 }),
    ("pins", { $0.tls.pins = [] }), ("pins", { $0.tls.pins.append("C") }), ("max_request", { $0.maxRequest += 1 }),
    ("max_response", { $0.maxResponse += 1 }), ("rate", { $0.rate = nil }), ("rate", { $0.rate = RateRule(rpm: 61, burst: 10) }),
    ("rate", { $0.rate = RateRule(rpm: 60, burst: 11) }), ("injection", { $0.injection.field = "X-Other" }),
    ("probe", { $0.probe = Probe(method: "DELETE", path: "/c") }), ("probe", { $0.probe = Probe(path: "/d") }),
]

private func changed(_ grant: Grant, _ change: Change) throws -> Grant {
    var grant = grant
    var terms = try #require(grant.terms)
    change(&terms)
    grant.terms = terms
    return grant
}

@Test("a grant covers the destination it was made from, and every destination that asks for less")
func narrowingIsCovered() throws {
    let sealed = try strict()
    #expect(sealed.covers(sealed))
    var random = SeededGenerator(1)
    for _ in 0 ..< 3000 {
        var asked = sealed
        // A later change of the same thing replaces an earlier one, so any number of them asks for less.
        for change in narrowings.shuffled(using: &random).prefix(Int.random(in: 1 ... 6, using: &random)) {
            let next = try changed(asked, change)
            let isCovered = sealed.covers(next)
            // Base and paths belong together: one pair may undo another.
            if !isCovered, sealed.widenings(by: next).map(\.what) == ["paths"] { continue }
            #expect(isCovered, "\(sealed.widenings(by: next))")
            asked = next
        }
    }
    for change in narrowings { #expect(sealed.covers(try changed(sealed, change))) }
}

@Test("whatever else is narrowed, one widening is never covered, and it is named")
func wideningIsNamed() throws {
    let sealed = try strict()
    var random = SeededGenerator(2)
    for (what, widen) in widenings {
        #expect(sealed.widenings(by: try changed(sealed, widen)).map(\.what) == [what])
        for _ in 0 ..< 200 {
            let narrow = try #require(narrowings.randomElement(using: &random))
            let asked = try changed(try changed(sealed, narrow), widen)
            let found = sealed.widenings(by: asked).map(\.what)
            let alone = sealed.widenings(by: try changed(sealed, narrow)).isEmpty
            // A base or a list of paths that was narrowed first may leave nothing to widen.
            if alone, ["paths", "probe", "max_request", "max_response"].contains(what) { continue }
            #expect(found.contains(what), "\(what) in \(found)")
        }
    }
}

@Test(
    "another host, port or preset is never covered",
    arguments: [
        "base_url: \"https://api.example.org\", preset: bearer", "base_url: \"https://api.example.com:444\", preset: bearer",
        "base_url: \"https://www.api.example.com\", preset: bearer", "base_url: \"https://api.example.com\", preset: basic",
    ])
func places(_ yaml: String) throws {
    let sealed = try grant("base_url: \"https://api.example.com\", secret: A_KEY, preset: bearer")
    let asked = try grant(yaml + ", secret: A_KEY")
    #expect(!sealed.covers(asked))
    #expect(!Grant(place: sealed.place, preset: .bearer).covers(asked))
}

@Test("what was sealed by host and preset alone covers any destination of that host with that preset")
func hostAndPreset() throws {
    let sealed = Grant(place: try #require(SealedHost("127.0.0.1:9000")), preset: .header)
    let place = "base_url: \"http://127.0.0.1:9000/x\", private_network: true, allow_plain_http: true, secret: A_KEY"
    #expect(sealed.covers(try grant(place + ", preset: header, header: X-Any, methods: [DELETE]")))
    #expect(!sealed.covers(try grant(place + ", preset: bearer")))
}

@Test("grants survive being stored")
func storedGrants() throws {
    let folder = try TemporaryFolder()
    try folder.write("key", [UInt8](repeating: 7, count: 32))
    let sealed = [try strict(), Grant(place: try #require(SealedHost("api.example.com")), preset: .bearer)]
    let policy = SecretPolicy(host: sealed[0].place, preset: .header, grants: sealed, created: 5)
    let first = Vault(path: folder.path + "/vault.bhv", key: VaultKeySource(path: folder.path + "/key", origin: "a test"))
    #expect(first.open() == nil)
    try first.change { $0["A_KEY"] = StoredSecret(policy: policy, value: SecretBytes(Array("a-value-of-some-length".utf8))) }
    let again = Vault(path: folder.path + "/vault.bhv", key: VaultKeySource(path: folder.path + "/key", origin: "a test"))
    #expect(again.open() == nil)
    guard case .open(let secrets) = again.state else { throw CancellationError() }
    #expect(secrets["A_KEY"]?.policy == policy)
}

// MARK: paths

private let letters = ["a", "b"]

private func allPaths(upTo length: Int) -> [String] {
    var paths: [[String]] = [[]]
    var all: [String] = []
    for _ in 1 ... length {
        all += paths.map { "/" + ($0 + [""]).joined(separator: "/") }
        paths = paths.flatMap { path in (letters + ["c"]).map { path + [$0] } }
        all += paths.map { "/" + $0.joined(separator: "/") }
    }
    return all
}

private func randomPattern(_ random: inout SeededGenerator) -> PathPattern? {
    let segments = (0 ..< Int.random(in: 0 ... 3, using: &random)).map { _ in
        (letters + ["*"]).randomElement(using: &random) ?? ""
    }
    let end = ["", "**", "**", nil].randomElement(using: &random) ?? nil
    return PathPattern("/" + (segments + [end].compactMap { $0 }).joined(separator: "/"))
}

@Test("one list of patterns contains another exactly when every path of the one is one of the other")
func containment() {
    var random = SeededGenerator(3)
    let paths = allPaths(upTo: 5)
    var contained = 0
    for _ in 0 ..< 3000 {
        guard let inner = randomPattern(&random) else { continue }
        let outer = (0 ..< Int.random(in: 0 ... 4, using: &random)).compactMap { _ in randomPattern(&random) }
        let expected = paths.filter { inner.matches($0) }.allSatisfy { path in outer.contains { $0.matches(path) } }
        #expect(inner.isCovered(by: outer) == expected, "\(inner.text) in \(outer.map(\.text))")
        if expected { contained += 1 }
    }
    #expect(contained > 300, "the cases must be of both kinds")
}

@Test("a base path is taken as it stands: a star in it is no wildcard")
func starsInBase() throws {
    let pattern = try #require(PathPattern("/x"))
    #expect(pattern.below("/*").matches("/*/x") && !pattern.below("/*").matches("/a/x"))
    #expect(!pattern.below("/a").isCovered(by: [pattern.below("/*")]))
}
