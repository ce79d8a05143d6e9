import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit

/// Every link retrieval opens, and who may call it.
enum RetrievalPeers {
    static let all = [
        PeerDeclaration(
            .credentials, schemas: [CredentialsMethods.schema], deadline: .seconds(10),
            fallback: "the built-in embedder answers; remote embedders and rerankers do not"),
        PeerDeclaration(
            .telemetry, schemas: [TelemetryMethods.schema], deadline: .seconds(5),
            fallback: "answers go on; measurements come late or are counted as lost"),
    ]

    static let callers: Set<ServiceName> = [.edge, .router]
}
