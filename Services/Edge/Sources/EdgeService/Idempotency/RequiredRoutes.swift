/// What `edge.idempotency.require_on` may name: routes as `bulkhead-edge routes` lists them, or groups of them by a word.
package enum RequiredRoutes {
    private static let words: [(word: String, routes: [Endpoint])] = [
        ("chat", [.chat]), ("responses", [.responses]), ("messages", [.messages]), ("embeddings", [.embeddings]),
        ("moderations", [.moderations]), ("credentials", [.call]),
        // Their routes come with the job runner.
        ("jobs", []),
    ]

    /// All words, and all routes that honour an Idempotency-Key.
    package static var known: [String] {
        words.map(\.word) + Endpoint.allCases.filter { $0.methods == .post }.map(\.rawValue)
    }

    /// The routes a name stands for; nil for an unknown name.
    package static func routes(_ name: String) -> [String]? {
        if let group = words.first(where: { $0.word == name }) { return group.routes.map(\.rawValue) }
        return known.contains(name) ? [name] : nil
    }
}
