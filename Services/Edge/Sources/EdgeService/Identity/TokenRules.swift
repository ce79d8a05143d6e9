import BulkheadJSON

/// What the claims of a token must be, and who they say shows it (RFC 7519 §4.1, RFC 9068 §4).
package struct TokenRules: Sendable {
    private let settings: OIDCConfiguration
    /// Entries of a list among the claims that are read; a token with more is refused.
    private static let mostEntries = 64
    private static let longest = (tenant: 128, user: 256, entry: 256)
    /// A scope that covers no route, for tokens without one that means something here.
    private static let noScope = "none"

    package init(_ settings: OIDCConfiguration) { self.settings = settings }

    /// - Parameter now: seconds since 1970.
    /// - Returns: who shows the token, and until when it is good, in seconds since 1970.
    package func judge(_ claims: JSONObject, now: Int) throws(TokenRefusal) -> (bearer: TokenBearer, until: Double) {
        guard claims["iss"]?.string == settings.issuer else { throw .issuer }
        try checkAudience(claims["aud"])
        let until = try checkTimes(claims, Double(now))
        let user = try name(settings.userClaim, claims, longest: Self.longest.user)
        let tenant =
            switch settings.tenant {
            case .fixed(let name): name
            case .claim(let claim): try name(claim, claims, longest: Self.longest.tenant)
            }
        let bearer = TokenBearer(
            issuer: settings.issuer, subject: try claims["sub"] == nil ? user : name("sub", claims, longest: Self.longest.user),
            tenant: tenant, user: user, scopes: try scopes(claims), models: try models(claims),
            createsTenant: settings.letsTenantsIn)
        return (bearer, until)
    }

    private func checkAudience(_ value: JSON?) throws(TokenRefusal) {
        let named = value?.string.map { [$0] } ?? value?.array?.compactMap(\.string) ?? []
        guard named.contains(where: settings.audiences.contains) else { throw .audience }
    }

    private func checkTimes(_ claims: JSONObject, _ now: Double) throws(TokenRefusal) -> Double {
        let leeway = Double(settings.leewaySeconds)
        guard let expiry = try moment("exp", claims) else { throw .claim("exp") }
        guard now < expiry + leeway else { throw .expired }
        if let begin = try moment("nbf", claims), now + leeway < begin { throw .notYetValid }
        let issued = try moment("iat", claims)
        if let issued, now + leeway < issued { throw .notYetValid }
        guard let most = settings.maxAgeSeconds else { return expiry + leeway }
        guard let issued else { throw .claim("iat") }
        let end = issued + Double(most) + leeway
        guard now < end else { throw .tooOld }
        return min(expiry + leeway, end)
    }

    private func moment(_ name: String, _ claims: JSONObject) throws(TokenRefusal) -> Double? {
        guard let value = claims[name] else { return nil }
        guard let seconds = value.double, seconds.isFinite else { throw .claim(name) }
        return seconds
    }

    private func name(_ claim: String, _ claims: JSONObject, longest: Int) throws(TokenRefusal) -> String {
        guard let text = find(claim, claims)?.string, Self.isName(text, longest: longest) else { throw .claim(claim) }
        return text
    }

    /// A member of this name; else the one at the end of its path with dots between.
    private func find(_ claim: String, _ claims: JSONObject) -> JSON? {
        if let value = claims[claim] { return value }
        return claim.split(separator: ".").reduce(JSON.object(claims)) { $0?[String($1)] }
    }

    /// As names of tenants and users are everywhere.
    private static func isName(_ text: String, longest: Int) -> Bool {
        (1 ... longest).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// A list, or one text with spaces between (RFC 8693 §4.2).
    private func entries(_ claim: String, _ claims: JSONObject) throws(TokenRefusal) -> [String] {
        guard let value = find(claim, claims) else { return [] }
        let entries: [String]
        if let text = value.string {
            entries = text.split(separator: " ").map(String.init)
        } else if let list = value.array {
            entries = list.compactMap(\.string)
            guard entries.count == list.count else { throw .claim(claim) }
        } else {
            throw .claim(claim)
        }
        guard entries.count <= Self.mostEntries else { throw .claim(claim) }
        return entries
    }

    /// Entries that mean nothing here are other servers'. Without any that does the token covers no route: never all of them.
    private func scopes(_ claims: JSONObject) throws(TokenRefusal) -> [String] {
        guard let claim = settings.scopesClaim else { return [] }
        let found = try entries(claim, claims).flatMap { settings.scopes[$0] ?? [] }
        return found.isEmpty ? [Self.noScope] : Array(Set(found)).sorted()
    }

    private func models(_ claims: JSONObject) throws(TokenRefusal) -> [String] {
        guard let claim = settings.modelsClaim else { return [] }
        let found = try entries(claim, claims)
        // No model at all is not every model.
        guard !found.isEmpty, found.allSatisfy({ Self.isName($0, longest: Self.longest.entry) && !$0.contains(",") }) else {
            throw .claim(claim)
        }
        return Array(Set(found)).sorted()
    }
}
