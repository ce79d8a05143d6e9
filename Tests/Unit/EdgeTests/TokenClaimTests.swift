import BulkheadConfig
import BulkheadJSON
import EdgeService
import Testing

@Suite("Tokens: claims, and who they say asks")
struct TokenClaimTests {
    private func judge(with more: String = "", at seconds: Int = 0, _ changes: (String, JSON?)...) throws -> TokenBearer {
        let claims = try #require(TokenIssuer.claims(changes).object)
        return try TokenRules(try TokenWorld.settings(more)).judge(claims, now: TokenIssuer.start + seconds).bearer
    }

    private func expect(_ refusal: TokenRefusal, with more: String = "", at seconds: Int = 0, _ change: (String, JSON?)...) throws
    {
        let claims = try #require(TokenIssuer.claims(change).object)
        #expect(throws: refusal) {
            try TokenRules(try TokenWorld.settings(more)).judge(claims, now: TokenIssuer.start + seconds)
        }
    }

    private static func at(_ seconds: Int) -> JSON { .int(Int64(TokenIssuer.start + seconds)) }

    @Test("Issuer and audience must be those of the configuration, to the letter")
    func names() throws {
        for issuer: JSON? in ["https://idp.example/", "https://IDP.example", "", nil, ["https://idp.example"], 7] {
            try expect(.issuer, ("iss", issuer))
        }
        for audience: JSON? in ["bulkhead2", "", nil, [], ["other"], 7, ["bulkhead": true]] {
            try expect(.audience, ("aud", audience))
        }
        #expect(try judge(("aud", ["other", "bulkhead"])).user == "alice")
        #expect(
            try TokenRules(try TokenWorld.settings()).judge(try #require(TokenIssuer.claims().object), now: TokenIssuer.start)
                .until
                == Double(TokenIssuer.start + 3660))
    }

    @Test("A token is good until exp and the leeway are over, and from nbf and iat less the leeway")
    func times() throws {
        #expect(try judge(at: 3659).user == "alice")
        try expect(.expired, at: 3660)
        try expect(.expired, with: "leeway: 0s", at: 3600)
        try expect(.claim("exp"), ("exp", nil))
        try expect(.claim("exp"), ("exp", "1800003600"))
        #expect(try judge(("nbf", Self.at(60))).user == "alice")
        try expect(.notYetValid, ("nbf", Self.at(61)))
        try expect(.claim("nbf"), ("nbf", "soon"))
        try expect(.notYetValid, ("iat", Self.at(61)))
        #expect(try judge(("iat", nil)).user == "alice")
        #expect(try judge(("exp", 1e300)).user == "alice")
        try expect(.expired, ("exp", -1e300))
    }

    @Test("With max_age a token counts for so long after iat, and must have one")
    func age() throws {
        #expect(try judge(with: "max_age: 10m", at: 659).user == "alice")
        try expect(.tooOld, with: "max_age: 10m", at: 660)
        try expect(.claim("iat"), with: "max_age: 10m", ("iat", nil))
    }

    @Test("Tenant and user come from their claims, which must be names")
    func who() throws {
        #expect(try judge(with: "tenant: fixed", ("tenant", nil)).tenant == "fixed")
        #expect(try judge(with: "tenant: fixed").createsTenant && !(try judge().createsTenant))
        #expect(try judge(with: "create_tenants: true").createsTenant)
        #expect(try judge(with: "tenant_claim: org\nuser_claim: email", ("org", "o"), ("email", "a@b")).user == "a@b")
        #expect(try judge(with: "tenant_claim: org.name", ("org", ["name": "deep"])).tenant == "deep")
        #expect(try judge(with: "tenant_claim: https://a.b/org", ("https://a.b/org", "url")).tenant == "url")
        for value: JSON? in [nil, "", 7, ["acme"], "a\u{0}b", "a\nb", .string(String(repeating: "x", count: 129))] {
            try expect(.claim("tenant"), ("tenant", value))
        }
        for value: JSON? in [nil, "", 7, .string(String(repeating: "x", count: 257))] {
            try expect(.claim("sub"), ("sub", value))
        }
    }

    @Test("Tokens of one bearer have one key id; another issuer's subject, tenant or user has another")
    func keyIDs() throws {
        let one = try judge()
        #expect(try judge(("exp", Self.at(7200)), ("jti", "2")) == one)
        let others = [
            try judge(("sub", "bob")), try judge(("tenant", "other")), try judge(with: "user_claim: email", ("email", "a")),
        ]
        #expect(Set(others.map(\.keyID) + [one.keyID]).count == 4)
        let scoped = try judge(with: "scopes_claim: scope", ("scope", "models"))
        #expect(
            scoped.keyID == one.keyID && scoped.digest == one.digest, "what session said of the bearer counts for each token"
        )
    }

    @Test("Scopes are those that mean something here; a token with none of them covers no route")
    func scopes() throws {
        #expect(try judge(with: "scopes_claim: scope", ("scope", "openid models read")).scopes == ["models", "read"])
        #expect(try judge(with: "scopes_claim: scp", ("scp", ["embeddings"])).scopes == ["embeddings"])
        let mapped = "scopes_claim: roles\nscopes: { \"llm:chat\": models, \"llm:all\": [models, credentials] }"
        #expect(try judge(with: mapped, ("roles", ["llm:all", "models"])).scopes == ["credentials", "models"])
        for value: JSON? in [nil, "", "openid", []] {
            #expect(try judge(with: "scopes_claim: scope", ("scope", value)).scopes == ["none"])
        }
        try expect(.claim("scope"), with: "scopes_claim: scope", ("scope", 7))
        try expect(.claim("scope"), with: "scopes_claim: scope", ("scope", ["models", 7]))
    }

    @Test("Models are those of their claim; a token without any is refused, not let to all")
    func models() throws {
        #expect(try judge(with: "models_claim: models", ("models", ["b", "a", "gpt-*"])).models == ["a", "b", "gpt-*"])
        for value: JSON? in [nil, "", [], ["a,b"], 7, .array(.init(repeating: "m", count: 65))] {
            try expect(.claim("models"), with: "models_claim: models", ("models", value))
        }
    }
}

@Suite("The section edge.auth with mode oidc")
struct OIDCConfigurationTests {
    private func problems(_ auth: String, rest: String = "") -> [ConfigProblem] {
        do {
            _ = try loadConfiguration(EdgeConfiguration.self, text: "edge: { auth: { \(auth) } }\n\(rest)", file: "b.yaml")
            return []
        } catch {
            return (error as? ConfigProblems)?.problems ?? []
        }
    }

    private let whole = "mode: oidc, issuer: https://idp.example, audience: [a, b], jwks_file: /jwks.json"

    @Test("Every documented key is read, and what is not said has its default")
    func every() throws {
        let settings = try TokenWorld.settings("leeway: 5s\nmax_age: 1h\nmodels_claim: m\nalgorithms: [ES256]")
        #expect(settings.leewaySeconds == 5 && settings.maxAgeSeconds == 3600 && settings.algorithms == [.es256])
        let standard = try TokenWorld.settings()
        #expect(standard.tenant == .claim("tenant") && standard.userClaim == "sub" && standard.leewaySeconds == 60)
        #expect(standard.algorithms == TokenAlgorithm.allCases && standard.scopesClaim == nil && !standard.createsTenants)
        #expect(standard.source == .file("/nowhere/jwks.json") && standard.audiences == ["bulkhead"])
        let auth = "mode: oidc, issuer: https://i.example, audience: a, jwks_destination: idp"
        let text = "edge: { auth: { \(auth) } }\ncredentials: { destinations: { idp: {} } }\n"
        let fetched = try loadConfiguration(EdgeConfiguration.self, text: text, file: "b.yaml").service.oidc
        #expect(fetched?.source == .destination(name: "idp", path: "/.well-known/jwks.json"))
        #expect(problems(whole).isEmpty)
    }

    @Test(
        "What cannot work is a problem at its key",
        arguments: [
            ("mode: oidc, audience: a, jwks_file: /f", "issuer"),
            ("mode: oidc, issuer: idp, audience: a, jwks_file: /f", "issuer"),
            ("mode: oidc, issuer: https://i, jwks_file: /f", "audience"),
            ("mode: oidc, issuer: https://i, audience: [], jwks_file: /f", "audience"),
            ("mode: oidc, issuer: https://i, audience: a", "jwks_file"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, jwks_destination: d", "jwks_destination"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_destination: d, jwks_path: jwks", "jwks_path"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, algorithms: [HS256]", "algorithms"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, algorithms: [none]", "algorithms"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, algorithms: []", "algorithms"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, tenant: t, tenant_claim: c", "tenant_claim"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, scopes: { a: models }", "scopes"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, scopes_claim: s, scopes: { a: modles }", "a"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, leeway: 1h", "leeway"),
            ("mode: oidc, issuer: https://i, audience: a, jwks_file: /f, audiense: a", "audiense"),
            ("mode: keys, issuer: https://i", "issuer"),
            ("mode: none, tenant: t", "tenant"),
        ])
    func problem(_ auth: String, _ key: String) {
        let found = problems(auth)
        #expect(found.contains { $0.key.hasSuffix(".\(key)") || $0.key.contains(".\(key)[") }, "\(found)")
    }

    @Test("A destination nobody has, or an algorithm, is told with the nearest name")
    func suggestions() {
        let auth = "mode: oidc, issuer: https://i.example, audience: a, jwks_destination: ipd, algorithms: [RS25]"
        let found = problems(auth, rest: "credentials: { destinations: { idp: {} } }\n")
        #expect(
            Set(found.compactMap(\.suggestion)).isSuperset(of: ["idp"])
                && found.contains { $0.suggestion?.hasPrefix("RS") == true })
    }
}
