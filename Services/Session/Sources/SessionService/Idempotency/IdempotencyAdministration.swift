import GRDB

/// A kept or running request as `idempotency list` gives it; without its answer.
package struct IdempotencyReport: Codable, Sendable {
    package var tenant: String
    package var owner: String
    package var key: String
    package var route: String
    /// running | done
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
    let commits: CommitQueue
    let now: @Sendable () -> Moment

    /// - Parameter now: the clock.
    package init(commits: CommitQueue, now: @escaping @Sendable () -> Moment) {
        self.commits = commits
        self.now = now
    }

    /// Newest first.
    package func list(_ asked: IdempotencySelection) async throws -> [IdempotencyReport] {
        let limit = min(max(1, asked.limit), 10_000)
        return try await commits.commit { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT tenant, owner, key, route, status, coalesce(length(body), 0) AS bytes, started_at, expires_at
                    FROM idempotency WHERE ? IS NULL OR tenant = ? ORDER BY started_at DESC LIMIT ?
                    """,
                arguments: [asked.tenant, asked.tenant, limit]
            ).map { row in
                let expires: Int64? = row["expires_at"]
                return IdempotencyReport(
                    tenant: row["tenant"], owner: row["owner"], key: row["key"], route: row["route"],
                    state: expires == nil ? "running" : "done", status: row["status"], bytes: row["bytes"],
                    startedAt: row["started_at"], expiresAt: expires)
            }
        }
    }

    /// Deletes kept answers in small transactions, so that admissions go on between them. Running requests stay.
    package func purge(_ asked: IdempotencySelection) async throws -> Purged {
        let present = now().unixMilliseconds
        var total = 0
        while true {
            let count = try await commits.commit { db in
                try IdempotencyTable.purge(now: present, all: asked.all, tenant: asked.tenant, db)
            }
            total += count
            if count < IdempotencyTable.purgeBatch { return Purged(purged: total) }
        }
    }
}
