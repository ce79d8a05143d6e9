/// What the verb `model` tells of the built-in embedder.
package struct ModelReport: Codable, Sendable {
    package var name: String
    /// missing | found | broken | loaded
    package var state: String
    /// What is wrong and what to do; absent when nothing is.
    package var problem: String?
    /// Where the files are.
    package var path: String?
    /// Numbers in a vector.
    package var dimensions: Int
    /// Since the process started.
    package var textsEmbedded: Int
    package var cacheEntries: Int
    package var cacheBytes: Int
    /// Of all texts asked for, the share found in the cache, 0 … 1; absent before the first.
    package var cacheHitRate: Double?

    init(_ embedder: Embedder) {
        let totals = embedder.meters.totals
        let lookups = totals.hits + totals.misses
        name = EmbeddingModel.name
        dimensions = EmbeddingModel.dimensions
        textsEmbedded = totals.texts
        (cacheEntries, cacheBytes) = embedder.cache.size
        cacheHitRate = lookups > 0 ? Double(totals.hits) / Double(lookups) : nil
        problem = embedder.holder.status.problem
        switch embedder.holder.status {
        case .missing: (state, path) = ("missing", nil)
        case .found(let folder): (state, path) = ("found", folder)
        case .broken(let folder, _): (state, path) = ("broken", folder)
        case .loaded(let folder): (state, path) = ("loaded", folder)
        }
    }

    /// For a terminal.
    package var text: String {
        let rate = cacheHitRate.map { "\(Int(($0 * 100).rounded())) % found" } ?? "not asked yet"
        var lines = [
            "model       \(name) (\(state))", "path        \(path ?? "-")", "dimensions  \(dimensions)",
            "embedded    \(textsEmbedded) texts", "cache       \(cacheEntries) texts, \(cacheBytes / 1024) KiB, \(rate)",
        ]
        if let problem { lines.append("problem     \(problem)") }
        return lines.joined(separator: "\n")
    }
}

extension ModelHolder.Status {
    /// What is wrong and what to do; nil when the model can be used. Free of paths: peers and `/ready` see it.
    package var problem: String? {
        switch self {
        case .missing: "the embedding model \(EmbeddingModel.name) is not installed: \(Embedder.remedy)"
        case .broken(_, let reason): "the embedding model \(EmbeddingModel.name) cannot be used: \(reason): \(Embedder.remedy)"
        case .found, .loaded: nil
        }
    }
}
