import BulkheadStore

/// A kept or running request as `idempotency list` gives it; without its answer.
package struct IdempotencyReport: Codable, Sendable {
    package var tenant: String
    package var owner: String
    package var route: String
    /// reserved | dispatched | completed
    package var state: String
    /// HTTP status of the kept answer.
    package var status: Int?
    /// Bytes of the kept answer's body.
    package var bytes: Int
    /// Milliseconds since 1970.
    package var startedAt: Int64
    package var expiresAt: Int64?
}

/// What `idempotency list` and `purge` take.
package struct IdempotencySelection: Codable, Sendable {
    /// nil: all tenants.
    package var tenant: String?
    /// Rows given at most, newest first.
    package var limit: Int
    /// Purge: also what has not expired.
    package var all: Bool

    /// Selects by tenant.
    package init(tenant: String? = nil, limit: Int = 100, all: Bool = false) {
        self.tenant = tenant
        self.limit = limit
        self.all = all
    }
}

/// What `idempotency purge` did.
package struct Purged: Codable, Sendable {
    /// Answers deleted.
    package var purged: Int
}

/// Shows and deletes kept answers.
package struct IdempotencyAdministration: Sendable {
    let store: any DurableStore
    /// How long answers are kept, in milliseconds.
    let retention: Int64

    /// - Parameter retention: how long answers are kept, in milliseconds.
    package init(store: any DurableStore, retention: Int64) {
        self.store = store
        self.retention = retention
    }

    private static let newest = Statement(
        "claim.list",
        """
        SELECT tenant, owner, route, phase, status, coalesce(length(body), 0), created_at, expires_at
        FROM claim WHERE CAST($1 AS TEXT) IS NULL OR tenant = $1 ORDER BY created_at DESC LIMIT $2
        """)

    /// Newest first.
    package func list(_ asked: IdempotencySelection) async throws -> [IdempotencyReport] {
        let limit = min(max(1, asked.limit), 10_000)
        return try await store.transact { transaction in
            try transaction.rows(Self.newest, [.optional(asked.tenant), .integer(limit)]).map { row in
                IdempotencyReport(
                    tenant: row.text(0), owner: row.text(1), route: row.text(2),
                    state: ClaimPhase(rawValue: row.integer(3)).map { "\($0)" } ?? "unknown",
                    status: row.optionalInteger(4).map { Int($0) }, bytes: Int(row.integer(5)), startedAt: row.integer(6),
                    expiresAt: row.optionalInteger(7))
            }
        }
    }

    /// Deletes kept answers in small transactions, so that admissions go on between them. Running requests stay.
    package func purge(_ asked: IdempotencySelection) async throws -> Purged {
        let retention = retention
        var total = 0
        while true {
            let count = try await store.transact { transaction in
                try ClaimTable.purge(all: asked.all, tenant: asked.tenant, retention: retention, transaction)
            }
            total += count
            if count < ClaimTable.purgeBatch { return Purged(purged: total) }
        }
    }
}
