import BulkheadAPI

/// What a request shows to say who makes it.
struct ShownCredential {
    /// By which session's words on it are remembered: of a key, or of the bearer of a token.
    let digest: KeyDigest
    /// Who shows a token; nil: it is an API key.
    let identity: SessionAPI.TokenIdentity?
}

extension Admission {
    /// Takes the credential of a request; a token is verified.
    /// - Throws: 401 when there is none, or a token that is no good; 503 when it cannot be judged.
    func shown(_ headers: RequestHeaders) async throws(EdgeError) -> ShownCredential {
        guard let text = Self.key(headers) else { throw Self.keyMissing }
        guard let tokens, !text.hasPrefix(TokenDesk.keyPrefix) else {
            return ShownCredential(digest: KeyDigest(key: text), identity: nil)
        }
        let bearer = try await tokens.verify(text)
        return ShownCredential(digest: bearer.digest, identity: bearer.message)
    }

    static func tenantUnknown(_ tenant: String) -> EdgeError {
        EdgeError(
            .forbidden, code: "tenant_unknown",
            message:
                "The token's tenant \(FoundValue.name(tenant)) is not known here. An operator lets it in with a key of its own "
                + "(bulkhead-session keys create --tenant), or all of the provider's with edge.auth.create_tenants.")
    }
}

extension Caller {
    /// Who showed a token: session has no key of this id to look up. nil: it was an API key.
    var tokenIdentity: SessionAPI.TokenIdentity? {
        keyID.hasPrefix(TokenBearer.idPrefix) ? SessionAPI.TokenIdentity(keyID: keyID, tenant: tenant, user: user) : nil
    }
}
