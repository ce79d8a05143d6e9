import BulkheadAPI
import GRDB

/// The rows of `credential_record`.
enum CredentialTable {
    static let columns =
        "seq, at_ms, event, decision, peer, destination, secret, method, reason, request_id, tenant, status, redactions"

    static func insert(_ record: TelemetryAPI.CredentialRecord, _ db: Database) throws {
        let insert = try db.cachedStatement(
            sql: "INSERT INTO credential_record (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        // As many as there are question marks; GRDB would count them for each record.
        insert.setUncheckedArguments([
            record.seq, record.atUnixMS, record.event, record.decision, record.peer, record.destination, record.secret,
            record.method, record.reason, record.requestID, record.tenant, record.status, record.redactions,
        ])
        try insert.execute()
    }
}
