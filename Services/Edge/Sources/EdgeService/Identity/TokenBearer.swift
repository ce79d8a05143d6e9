import BulkheadAPI
import Crypto

/// Who shows a token, by its claims. Tenant and user are all of it that is ever logged.
package struct TokenBearer: Sendable, Equatable {
    /// `oidc:` and 16 characters: the same for all tokens of an issuer for a subject, tenant and user.
    package let keyID: String
    package let tenant: String
    package let user: String
    /// Groups of routes; empty: all.
    package let scopes: [String]
    /// Empty: all.
    package let models: [String]
    /// A tenant session does not know is let in.
    package let createsTenant: Bool
    /// Of issuer, subject, tenant and user: what edge remembers session's words by. Each token of the bearer has the same, and
    /// says itself which scopes and models it has.
    package let digest: KeyDigest

    /// How the key ids of tokens begin.
    static let idPrefix = "oidc:"
    /// Bytes of the hash that are in a key id: 96 bits.
    private static let shownBytes = 12

    package init(
        issuer: String, subject: String, tenant: String, user: String, scopes: [String], models: [String], createsTenant: Bool
    ) {
        (self.tenant, self.user, self.scopes, self.models) = (tenant, user, scopes, models)
        self.createsTenant = createsTenant
        let name = Self.joined(["oidc", issuer, subject, tenant, user])
        keyID = Self.idPrefix + Base64URL.encode(SHA256.hash(data: Array(name.utf8)).prefix(Self.shownBytes))
        // No API key has a NUL: a header cannot carry one.
        digest = KeyDigest(key: name)
    }

    /// As session is told.
    var message: SessionAPI.TokenIdentity {
        SessionAPI.TokenIdentity(
            keyID: keyID, tenant: tenant, user: user, scopes: scopes, models: models, createsTenant: createsTenant)
    }

    /// Claims hold no NUL.
    private static func joined(_ parts: [String]) -> String { parts.joined(separator: "\0") }
}
