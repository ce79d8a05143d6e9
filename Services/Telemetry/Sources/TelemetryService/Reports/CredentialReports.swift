import GRDB

/// What `audit` takes.
package struct CredentialQuery: Codable, Sendable {
    /// How far back, as typed, e.g. `1h`.
    package var since: String
    /// Only records of this destination; nil: of all.
    package var destination: String?
    /// Only records of this secret; nil: of all.
    package var secret: String?
    /// allow | deny | done | failed; nil: all.
    package var decision: String?

    /// A query; what is nil does not narrow it.
    package init(since: String = "1h", destination: String? = nil, secret: String? = nil, decision: String? = nil) {
        self.since = since
        self.destination = destination
        self.secret = secret
        self.decision = decision
    }
}

/// What `audit` gives.
package struct CredentialReport: Codable, Sendable {
    /// Seconds since 1970 at which it begins.
    package var since: Int
    /// How many records there are; `records` has the newest of them.
    package var total: Int
    /// Oldest first.
    package var records: [Record]

    /// A record of credentials' audit trail. Empty texts and zeros: the trail has nothing there.
    package struct Record: Codable, Sendable {
        /// Its number in the trail.
        package var seq: Int
        /// Milliseconds since 1970.
        package var at: Int
        package var event: String
        package var decision: String
        package var peer: String
        package var destination: String
        package var secret: String
        package var method: String
        package var reason: String
        package var request: String
        package var tenant: String
        package var status: Int
        package var redactions: Int
    }
}

extension Reports {
    /// The newest records of credentials' audit trail, as far as it has told them.
    /// - Throws: INVALID_ARGUMENT for a time that is none.
    package func credentials(_ query: CredentialQuery) async throws -> CredentialReport {
        let since = try start(query.since)
        var matches = "at_ms >= ?"
        var values: StatementArguments = [since * 1000]
        for (column, value) in [("destination", query.destination), ("secret", query.secret), ("decision", query.decision)] {
            guard let value else { continue }
            matches += " AND \(column) = ?"
            values += [value]
        }
        let (rule, arguments) = (matches, values)
        return try await read { db in
            let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM credential_record WHERE \(rule)", arguments: arguments)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT \(CredentialTable.columns) FROM credential_record WHERE \(rule)
                    ORDER BY at_ms DESC, seq DESC LIMIT \(Self.rowLimit)
                    """, arguments: arguments)
            return CredentialReport(since: since, total: total ?? 0, records: rows.reversed().map(Self.record))
        }
    }

    private static func record(_ row: Row) -> CredentialReport.Record {
        CredentialReport.Record(
            seq: row["seq"], at: row["at_ms"], event: row["event"], decision: row["decision"], peer: row["peer"],
            destination: row["destination"], secret: row["secret"], method: row["method"], reason: row["reason"],
            request: row["request_id"], tenant: row["tenant"], status: row["status"], redactions: row["redactions"])
    }
}
