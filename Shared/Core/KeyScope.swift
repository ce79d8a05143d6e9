/// Groups of routes a key can be held to. A key without scopes may use all routes; one with scopes those of its groups, and no
/// route that belongs to none of them, so that a route that is added later is closed to it.
package enum KeyScope: String, Sendable, CaseIterable {
    /// Everything a model answers, and the list of models.
    case models
    /// Embeddings, and the list of models.
    case embeddings
    /// Files, vector stores and reranking.
    case retrieval
    /// Batches, and webhooks that tell of their ends.
    case jobs
    /// Checkpoints of agents.
    case checkpoints
    /// Feedback on answers, and traces that clients send.
    case feedback
    /// The credential proxy, to the key's destinations.
    case credentials
    /// What there is: models and destinations. Nothing that runs or costs.
    case read
    /// What operators look at. Needs an admin key all the same.
    case operations

    /// Routes as edge names them, each with everything below it.
    private var routes: [String] {
        switch self {
        case .models:
            [
                "/v1/chat", "/v1/responses", "/v1/conversations", "/v1/messages", "/v1/embeddings", "/v1/moderations",
                "/v1/rerank",
                "/v1/models",
            ]
        case .embeddings: ["/v1/embeddings", "/v1/models"]
        case .retrieval: ["/v1/files", "/v1/vector_stores", "/v1/rerank"]
        case .jobs: ["/v1/batches", "/v1/webhook_endpoints"]
        case .checkpoints: ["/v1/checkpoints"]
        case .feedback: ["/v1/feedback", "/otlp"]
        case .credentials: ["/v1/call", "/v1/proxy"]
        case .read: ["/v1/models"]
        case .operations: ["/metrics", "/dashboard", "/admin"]
        }
    }

    /// Whether the group holds `route`.
    package func holds(_ route: String) -> Bool {
        // The list of destinations; what is below it calls them.
        if self == .read, route == "/v1/call" { return true }
        return routes.contains { route == $0 || (route.hasPrefix($0) && route.dropFirst($0.count).first == "/") }
    }

    /// Whether a key of these scopes may use `route`. A scope of a later version, unknown here, covers no route.
    package static func covers(_ scopes: [String], route: String) -> Bool {
        scopes.isEmpty || scopes.contains { KeyScope(rawValue: $0)?.holds(route) ?? false }
    }

    /// All names, for people.
    package static var known: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
