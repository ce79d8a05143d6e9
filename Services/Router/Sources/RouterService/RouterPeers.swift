import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit

/// Every link the router opens.
package enum RouterPeers {
    /// The builtin embedder answers in milliseconds; ten seconds cover a large batch on a busy machine.
    package static let retrievalDeadline = Duration.seconds(10)

    package static let all: [PeerDeclaration] = [
        // As long as the longest request: every route has limits of its own.
        PeerDeclaration(
            .credentials, schemas: [CredentialsMethods.schema], deadline: .seconds(600),
            fallback: "cached answers and the configured fallback answer; else 503"),
        PeerDeclaration(
            .retrieval, schemas: [RetrievalMethods.schema], deadline: retrievalDeadline,
            fallback: "chat is unaffected; embeddings of the builtin model answer 503"),
        PeerDeclaration(
            .telemetry, schemas: [TelemetryMethods.schema], deadline: .seconds(5), fallback: "events are spooled"),
    ]
}
