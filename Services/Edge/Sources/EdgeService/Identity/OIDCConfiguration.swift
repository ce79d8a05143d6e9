import BulkheadConfig
import BulkheadCore

/// How tokens of an OpenID provider are judged: `edge.auth` with `mode: oidc`.
package struct OIDCConfiguration: Sendable, Equatable {
    /// Where the issuer's keys come from.
    package enum KeySource: Sendable, Equatable {
        /// A file, which is read again when it has changed.
        case file(String)
        /// A destination of the credentials service, and the path below its base URL.
        case destination(name: String, path: String)
    }

    /// Who a token's tenant is.
    package enum Tenant: Sendable, Equatable {
        case fixed(String)
        case claim(String)
    }

    package var issuer: String
    /// A token names one of them at least.
    package var audiences: [String]
    package var source: KeySource
    package var tenant: Tenant
    /// A token's tenant need not be one that has a key.
    package var createsTenants: Bool
    package var userClaim: String
    /// nil: a token covers all routes.
    package var scopesClaim: String?
    /// What an entry of `scopesClaim` means here.
    package var scopes: [String: [String]]
    /// nil: a token may use all models.
    package var modelsClaim: String?
    package var algorithms: [TokenAlgorithm]
    /// By how much the clocks of issuer and server may differ.
    package var leewaySeconds: Int
    /// Since `iat`; nil: until `exp`.
    package var maxAgeSeconds: Int?

    /// A tenant the operator named is none that a token brings in.
    var letsTenantsIn: Bool { if case .fixed = tenant { true } else { createsTenants } }

    /// Scopes of keys, as `bulkhead-session keys create --scopes` has them.
    static let knownScopes = ["models", "embeddings", "credentials", "read", "operations"]
    /// Keys that mean nothing in another mode.
    private static let keys = [
        "issuer", "audience", "jwks_file", "jwks_destination", "jwks_path", "tenant", "tenant_claim", "create_tenants",
        "user_claim", "scopes_claim", "scopes", "models_claim", "algorithms", "leeway", "max_age",
    ]

    /// Reads the section `auth`; nil when its mode is another one.
    /// - Parameter edge: the section around it.
    static func read(_ auth: ConfigSection, in edge: ConfigSection, mode: AuthMode) -> OIDCConfiguration? {
        guard mode != .oidc else { return OIDCConfiguration(auth, edge) }
        for key in keys where auth.contains(key) {
            auth.report(key, found: "with mode \(mode.rawValue)", expected: "mode: oidc beside it, or to be left out")
        }
        return nil
    }

    private init(_ auth: ConfigSection, _ edge: ConfigSection) {
        issuer = auth.requiredString("issuer")
        audiences = auth.texts("audience") ?? []
        source = Self.source(auth, edge)
        tenant = Self.tenant(auth)
        createsTenants = auth.bool("create_tenants", default: false)
        userClaim = auth.string("user_claim", default: "sub")
        scopesClaim = auth.optionalString("scopes_claim")
        scopes = Self.scopes(auth)
        modelsClaim = auth.optionalString("models_claim")
        algorithms = Self.algorithms(auth)
        leewaySeconds = Self.seconds(auth.duration("leeway", default: .seconds(60), in: .zero ... .seconds(600)))
        maxAgeSeconds = auth.optionalDuration("max_age", in: .seconds(60) ... .seconds(365 * 86_400)).map(Self.seconds)
        check(auth)
    }

    private func check(_ auth: ConfigSection) {
        if audiences.allSatisfy(\.isEmpty) || audiences.contains("") {
            auth.report(
                "audience", found: audiences.isEmpty ? "nothing" : "an empty text",
                expected: "what the provider puts into aud for this server, e.g. bulkhead, or a list")
        }
        for (key, claim) in [("user_claim", userClaim), ("scopes_claim", scopesClaim), ("models_claim", modelsClaim)]
        where claim?.isEmpty == true {
            auth.report(key, found: "an empty text", expected: "the name of a claim")
        }
        if !issuer.isEmpty, !issuer.contains("://") {
            auth.report("issuer", found: issuer, expected: "the URL that stands in the tokens' iss, e.g. https://idp.example")
        }
        if scopesClaim == nil, auth.section("scopes").isPresent {
            auth.report(
                "scopes", found: "no scopes_claim", expected: "scopes_claim: NAME beside it, the claim whose entries it explains")
        }
    }

    private static func seconds(_ duration: Duration) -> Int { Int((duration.milliseconds / 1000).rounded(.up)) }

    private static func source(_ auth: ConfigSection, _ edge: ConfigSection) -> KeySource {
        let (file, destination) = (auth.optionalString("jwks_file"), auth.optionalString("jwks_destination"))
        let path = auth.string("jwks_path", default: "/.well-known/jwks.json")
        if (file == nil) == (destination == nil) {
            auth.report(
                file == nil ? "jwks_file" : "jwks_destination", found: file == nil ? "nothing" : "jwks_file beside it",
                expected: "one of jwks_file (a path) and jwks_destination (a name under credentials.destinations)")
        }
        guard let destination else { return .file(file ?? "") }
        if let known = edge.names(in: "credentials", under: "destinations") {
            auth.reference("jwks_destination", destination, among: known, what: "a name under credentials.destinations")
        }
        if !path.hasPrefix("/") || path.contains("?") || path.contains("#") {
            auth.report("jwks_path", found: path, expected: "a path below the destination's base_url that begins with /")
        }
        return .destination(name: destination, path: path)
    }

    private static func tenant(_ auth: ConfigSection) -> Tenant {
        let (fixed, claim) = (auth.optionalString("tenant"), auth.optionalString("tenant_claim"))
        if fixed != nil, claim != nil {
            auth.report("tenant_claim", found: "tenant beside it", expected: "one of tenant (for all) and tenant_claim")
        }
        for (key, value) in [("tenant", fixed), ("tenant_claim", claim)] where value?.isEmpty == true {
            auth.report(key, found: "an empty text", expected: "a name")
        }
        return fixed.map { .fixed($0) } ?? .claim(claim ?? "tenant")
    }

    private static func scopes(_ auth: ConfigSection) -> [String: [String]] {
        let section = auth.section("scopes")
        guard section.isPresent else { return Dictionary(uniqueKeysWithValues: knownScopes.map { ($0, [$0]) }) }
        var scopes: [String: [String]] = [:]
        for name in section.keys() {
            let meanings = section.texts(name) ?? []
            for meaning in meanings { section.reference(name, meaning, among: knownScopes, what: "a scope of keys") }
            scopes[name] = meanings
        }
        return scopes
    }

    private static func algorithms(_ auth: ConfigSection) -> [TokenAlgorithm] {
        let known = TokenAlgorithm.allCases.map(\.rawValue)
        let named = auth.strings("algorithms", default: known)
        for name in named where TokenAlgorithm(rawValue: name) == nil {
            let isShared = name == "none" || name.hasPrefix("HS")
            if isShared {
                auth.report(
                    "algorithms", found: name,
                    expected: "an asymmetric algorithm: tokens with none or HS* could be made with what is public")
            } else {
                auth.reference("algorithms", name, among: known, what: "an algorithm")
            }
        }
        if named.isEmpty { auth.report("algorithms", found: "an empty list", expected: known.joined(separator: ", ")) }
        return named.compactMap(TokenAlgorithm.init(rawValue:))
    }
}
