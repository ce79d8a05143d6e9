import BulkheadAPI

extension TelemetryAPI.CredentialRecord {
    /// What telemetry is told of a record: names and words, no path and no process.
    init(_ event: AuditEvent, seq: UInt64, at: Int64) {
        self.init(
            seq: Int(clamping: seq), atUnixMS: Int(at), event: event.event, decision: event.decision, peer: event.peer,
            destination: event.destination, secret: event.secret, method: event.method, reason: event.reason,
            requestID: event.request, tenant: event.tenant, status: event.outcome?.status ?? 0,
            redactions: event.outcome?.redactions ?? 0)
    }
}
