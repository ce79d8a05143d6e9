import Foundation
import GRDB

/// Whose request it is: the same Idempotency-Key of another tenant or user is another request.
package struct IdempotencyScope: Sendable, Hashable {
    package var tenant: String
    /// `user:NAME`, or `key:ID` when the key has no user.
    package var owner: String
    /// The Idempotency-Key.
    package var key: String

    /// A scope of its three parts.
    package init(tenant: String, owner: String, key: String) {
        self.tenant = tenant
        self.owner = owner
        self.key = key
    }
}

/// An answer that is replayed.
package struct KeptAnswer: Sendable, Equatable {
    package var status: Int
    package var contentType: String
    /// As `name: value`.
    package var headers: [String]
    package var body: Data

    /// An answer of its parts.
    package init(status: Int, contentType: String, headers: [String], body: Data) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }
}

/// What an admission with an Idempotency-Key found.
package enum IdempotencyOutcome: Sendable, Equatable {
    /// Nobody runs it: the caller does, under its admission.
    case admitted
    /// It runs already.
    case running
    /// It ran; this was the answer.
    case replay(KeptAnswer)
    /// The key was used with another request.
    case mismatch
}

/// The rows of `idempotency`.
///
/// ABSENT → (claim) RUNNING → (finish) DONE → (expiry) ABSENT; RUNNING → (forget) ABSENT; RUNNING → (claim after the lease)
/// RUNNING under another admission, after which the first one's finish or forget changes nothing.
package enum IdempotencyTable {
    /// How long a request may run before another one with its key may. Longer than edge lets any request run (660 s by
    /// default), so that a run whose end was never reported is over for certain: until then its outcome is not known.
    package static let lease: Duration = .seconds(15 * 60)
    /// The largest body kept for replay, in bytes.
    package static let maximumBody = 4 << 20
    /// Rows deleted in one transaction.
    static let purgeBatch = 500

    /// Claims the scope for `admission`, or says why not. One caller wins: all transactions are of one connection.
    static func claim(
        _ scope: IdempotencyScope, digest: Data, admission: String, route: String, now: Int64, _ db: Database
    ) throws -> IdempotencyOutcome {
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO idempotency (tenant, owner, key, request_digest, admission, route, started_at)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """)
        try insert.execute(arguments: [scope.tenant, scope.owner, scope.key, digest, admission, route, now])
        if db.changesCount == 1 { return .admitted }
        let select = try db.cachedStatement(sql: "SELECT * FROM idempotency WHERE tenant = ? AND owner = ? AND key = ?")
        guard let row = try Row.fetchOne(select, arguments: [scope.tenant, scope.owner, scope.key]) else { return .running }
        if isFree(row, now: now) {
            try take(scope, digest: digest, admission: admission, route: route, now: now, db)
            return .admitted
        }
        let stored: Data = row["request_digest"]
        guard stored == digest else { return .mismatch }
        return answer(row).map { .replay($0) } ?? .running
    }

    private static func isFree(_ row: Row, now: Int64) -> Bool {
        if let expiry: Int64 = row["expires_at"] { return expiry <= now }
        let started: Int64 = row["started_at"]
        // A start in the future (the wall clock was set back) must not block for longer than a lease.
        return abs(now - started) >= lease.nanosecondsClamped / 1_000_000
    }

    private static func take(
        _ scope: IdempotencyScope, digest: Data, admission: String, route: String, now: Int64, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                UPDATE idempotency SET request_digest = ?, admission = ?, route = ?, started_at = ?, finished_at = NULL,
                    expires_at = NULL, status = NULL, content_type = NULL, headers = NULL, body = NULL
                WHERE tenant = ? AND owner = ? AND key = ?
                """,
            arguments: [digest, admission, route, now, scope.tenant, scope.owner, scope.key])
    }

    private static func answer(_ row: Row) -> KeptAnswer? {
        guard let status: Int = row["status"] else { return nil }
        let headers: String = row["headers"] ?? ""
        return KeptAnswer(
            status: status, contentType: row["content_type"] ?? "",
            headers: headers.split(separator: "\n").map(String.init), body: row["body"] ?? Data())
    }

    /// Keeps the answer of a run. Once kept it stays: a second report changes nothing, nor does one of a run that lost its row.
    static func finish(_ admission: String, _ answer: KeptAnswer, now: Int64, expires: Int64, _ db: Database) throws {
        let update = try db.cachedStatement(
            sql: """
                UPDATE idempotency SET finished_at = ?, expires_at = ?, status = ?, content_type = ?, headers = ?, body = ?
                WHERE admission = ? AND finished_at IS NULL
                """)
        let headers = answer.headers.map { $0.filter { !$0.isNewline } }.joined(separator: "\n")
        try update.execute(
            arguments: [now, expires, answer.status, answer.contentType, headers, answer.body, admission])
    }

    /// Gives the key free: the run left nothing to replay.
    static func forget(_ admission: String, _ db: Database) throws {
        let delete = try db.cachedStatement(sql: "DELETE FROM idempotency WHERE admission = ? AND finished_at IS NULL")
        try delete.execute(arguments: [admission])
    }

    /// Deletes at most `purgeBatch` answers that have expired, or, with `all`, that are kept (of one tenant, if given), and
    /// claims whose lease is over.
    /// - Returns: how many.
    static func purge(now: Int64, all: Bool = false, tenant: String? = nil, _ db: Database) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM idempotency WHERE rowid IN (
                    SELECT rowid FROM idempotency
                    WHERE ((expires_at IS NOT NULL AND (? OR expires_at <= ?)) OR (finished_at IS NULL AND started_at <= ?))
                        AND (? IS NULL OR tenant = ?) LIMIT ?)
                """,
            arguments: [all, now, now - lease.components.seconds * 1000, tenant, tenant, purgeBatch])
        return db.changesCount
    }
}
