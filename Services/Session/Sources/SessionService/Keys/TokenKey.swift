import BulkheadAPI
import BulkheadCore

// Tokens of an OpenID provider. Edge has verified them, and no other process may ask here; what a token says stands for a key
// that is in no table: of a user, without limits of its own, never an admin's.

extension KeyRecord {
    /// How the ids of such keys begin; those of the table begin otherwise.
    private static let tokenPrefix = "oidc:"
    private static let hashLength = 16
    private static let mostEntries = 64

    /// - Throws: INVALID_ARGUMENT for what edge would not have sent.
    init(_ identity: SessionAPI.TokenIdentity) throws {
        let hash = identity.keyID.utf8.dropFirst(Self.tokenPrefix.utf8.count)
        guard identity.keyID.hasPrefix(Self.tokenPrefix), hash.count == Self.hashLength, hash.allSatisfy(Self.isHash),
            identity.scopes.count <= Self.mostEntries, identity.models.count <= Self.mostEntries
        else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "identity.key_id is not \(Self.tokenPrefix) and \(Self.hashLength) characters, or a list is too long")
        }
        try KeyRules.check(name: identity.tenant, option: "identity.tenant", limit: 128)
        try KeyRules.check(name: identity.user, option: "identity.user", limit: 256)
        self.init(
            id: identity.keyID, digest: KeyDigest(of: identity.keyID), tenant: identity.tenant, user: identity.user, createdAt: 0)
        scopes = identity.scopes
        models = identity.models
    }

    private static func isHash(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

extension KeyIndex {
    /// Whose a request is.
    enum Holder {
        case found(KeyRecord)
        case refused(SessionAPI.Verdict, reason: String, KeyRecord?)
    }

    /// Whose request it is: of a token that edge has verified, or of a key.
    /// - Throws: INVALID_ARGUMENT for a malformed request.
    func holder(of asked: SessionAPI.AdmitRequest, _ now: Int64) throws -> Holder {
        if let identity = asked.identity {
            let key = try KeyRecord(identity)
            guard identity.createsTenant || knows(tenant: key.tenant) else {
                return .refused(.tenantUnknown, reason: "the tenant \(key.tenant) has no key, and tokens bring none in", key)
            }
            return .found(key)
        }
        guard let digest = asked.keyDigest.flatMap({ KeyDigest($0.readableBytesView) }) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "key_digest holds \(asked.keyDigest?.readableBytes ?? 0) bytes, a SHA-256 has 32")
        }
        guard let key = find(digest) else { return .refused(.keyRefused, reason: "there is no such key", nil) }
        if let reason = key.refusal(at: now) { return .refused(.keyRefused, reason: reason, key) }
        return .found(key)
    }

    /// Whose request it was: of a token, or a key of the table; nil: nobody's.
    func holder(of ended: SessionAPI.SettleRequest) -> KeyRecord? { holder(ended.identity, ended.keyID) }

    /// Who spent it.
    func holder(of spent: SessionAPI.SpentAway) -> KeyRecord? { holder(spent.identity, spent.keyID) }

    private func holder(_ identity: SessionAPI.TokenIdentity?, _ keyID: String) -> KeyRecord? {
        guard let identity else { return find(id: keyID) }
        // Malformed, it is nobody's: there is nothing to charge.
        return try? KeyRecord(identity)
    }
}

extension KeyService {
    /// Whether a token's tenant cannot be told from one nobody knows: nothing was read of the store yet.
    func isBlind(to identity: SessionAPI.TokenIdentity) -> Bool {
        guard let sharing, !sharing.isLoaded else { return false }
        return !identity.createsTenant && !index.knows(tenant: identity.tenant)
    }

    static let blind = CallError(
        .unavailable, reason: "tenants_unread", message: "tenants were not read from the store yet: try again in a moment",
        retryAfter: .seconds(1), notProcessed: true)
}
