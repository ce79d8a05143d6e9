import BulkheadAPI
import BulkheadServiceKit

/// Every link this service opens.
enum CredentialsPeers {
    static let all = [
        PeerDeclaration(
            .telemetry, schemas: [TelemetryMethods.schema], deadline: .seconds(2),
            fallback: "events wait in the spool; the audit trail is local")
    ]
}
