import BulkheadAPI
import BulkheadServiceKit

/// Every link telemetry opens. It never dials those who report to it: they dial it.
enum TelemetryPeers {
    static let all = [
        PeerDeclaration(
            .credentials, schemas: [CredentialsMethods.schema], deadline: .seconds(10),
            fallback: "alerts and exports wait; ingest and reports are unchanged")
    ]
}
