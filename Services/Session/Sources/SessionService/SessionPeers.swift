import BulkheadAPI
import BulkheadServiceKit

/// Every link session opens.
enum SessionPeers {
    static let all = [
        PeerDeclaration(
            .telemetry, schemas: [TelemetryMethods.schema], deadline: .seconds(5),
            fallback: "admission is unchanged")
    ]
}
