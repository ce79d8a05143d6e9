import BulkheadCore
import BulkheadStore

/// A kept or running request as `idempotency list` gives it; without its answer.
package struct IdempotencyReport: Codable, Sendable {
    package var tenant: String
    package var owner: String
    package var route: String
    /// reserved | dispatched | unknown | completed
    package var state: String
    /// HTTP status of the kept answer.
    package var status: Int?
    /// Bytes of the kept answer's body, or of the pieces of its stream.
    package var bytes: Int
    /// Milliseconds since 1970.
    package var startedAt: Int64
    package var expiresAt: Int64?
    /// Which of several admissions of the key it is.
    package var fence: Int64
    /// It ran again although an earlier run may have been billed.
    package var possibleDuplicate: Bool
    /// The request's id.
    package var requestID: String
}

/// One request as `idempotency show` gives it.
package struct ClaimReport: Codable, Sendable {
    package var summary: IdempotencyReport
    /// Milliseconds since 1970; until then edge holds it without a further word.
    package var leaseUntil: Int64
    package var dispatchedAt: Int64?
    package var completedAt: Int64?
    /// False: its answer was more than is kept.
    package var retained: Bool
    /// Pieces of its stream; nil: the answer is none.
    package var streamPieces: Int?
    /// The stream broke off.
    package var incomplete: Bool
}

/// What `idempotency list` and `purge` take.
package struct IdempotencySelection: Codable, Sendable {
    /// nil: all tenants.
    package var tenant: String?
    /// reserved | dispatched | unknown | completed; nil: all.
    package var state: String?
    /// Rows given at most, newest first.
    package var limit: Int
    /// What `limit` may be.
    package static let limits = 1 ... 10_000
    /// Purge: also what has not expired.
    package var all: Bool

    /// Selects by tenant and state.
    package init(tenant: String? = nil, state: String? = nil, limit: Int = 100, all: Bool = false) {
        self.tenant = tenant
        self.state = state
        self.limit = limit
        self.all = all
    }
}

/// Which Idempotency-Key is meant, and whose.
package struct ClaimName: Codable, Sendable {
    /// The Idempotency-Key as the client sent it.
    package var key: String
    package var tenant: String
    /// The user whose it is.
    package var user: String?
    /// The user whom the body named.
    package var endUser: String?
    /// The API key whose it is.
    package var keyID: String?

    /// Of `user`, `endUser` and `keyID` one at most is given; none: the whole tenant shares the key.
    package init(key: String, tenant: String, user: String? = nil, endUser: String? = nil, keyID: String? = nil) {
        self.key = key
        self.tenant = tenant
        self.user = user
        self.endUser = endUser
        self.keyID = keyID
    }

    /// - Parameter account: of the API key, if one is named.
    /// - Throws: INVALID_ARGUMENT when more than one is named.
    func scope(account: String?) throws -> ClaimScope {
        let owners = [user.map(ClaimOwner.user), endUser.map(ClaimOwner.endUser), keyID.map { ClaimOwner.key(account ?? $0) }]
            .compactMap { $0 }
        guard owners.count <= 1 else {
            throw CallError(
                .invalidArgument, message: "a key belongs to one of a user, an end user and an API key: name one of them")
        }
        return ClaimScope(tenant: tenant, owner: owners.first ?? ClaimOwner.tenant, key: key)
    }
}

/// What `idempotency release` takes.
package struct ClaimRelease: Codable, Sendable {
    package var name: ClaimName
    /// Also one that runs, or that was answered.
    package var force: Bool

    /// A release of its parts.
    package init(_ name: ClaimName, force: Bool = false) {
        self.name = name
        self.force = force
    }
}

/// What `idempotency purge` did.
package struct Purged: Codable, Sendable {
    /// Answers deleted.
    package var purged: Int
}
