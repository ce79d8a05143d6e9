import BulkheadConfig

/// The section `retrieval`.
package struct RetrievalConfiguration: ServiceConfiguration, Equatable {
    /// What turns texts into vectors.
    package enum Embedder: Sendable, Equatable {
        /// all-MiniLM-L6-v2 in this process; `path` is the folder with its files, nil for the usual places.
        case builtin(path: String?)
        /// A provider's model, called through credentials.
        case remote(destination: String, model: String, dimensions: Int)
    }

    /// What orders the best candidates.
    package enum Reranker: Sendable, Equatable {
        /// Features of the match, in this process.
        case features
        /// A provider's model, called through credentials.
        case remote(destination: String, model: String)
    }

    package static let sectionName = "retrieval"

    package var embedder: Embedder
    package var reranker: Reranker
    /// How like a query must be to an earlier one to share its results, 0 … 1.
    package var querySimilarity: Double
    /// How long results of a query are kept.
    package var queryTimeToLive: Duration
    /// How long the vector of a text is kept.
    package var embeddingTimeToLive: Duration

    private static let lifetimes = Duration.seconds(1) ... Duration.seconds(365 * 86_400)

    package init(section: ConfigSection, suite: SuiteConfiguration) {
        embedder = Self.embedder(section.section("embedder"))
        reranker = Self.reranker(section.section("reranker"))
        let queries = section.section("query_cache")
        querySimilarity = queries.double("similarity", default: 0.95, in: 0 ... 1)
        queryTimeToLive = queries.duration("ttl", default: .seconds(2 * 3600), in: Self.lifetimes)
        let embeddings = section.section("embedding_cache")
        embeddingTimeToLive = embeddings.duration("ttl", default: .seconds(24 * 3600), in: Self.lifetimes)
    }

    private static func embedder(_ section: ConfigSection) -> Embedder {
        let model = section.string("model", default: "builtin")
        let destination = section.optionalString("destination")
        let dimensions = section.optionalInt("dimensions", in: 1 ... 65_536)
        let path = section.optionalString("path")
        guard let destination else {
            if model != "builtin" { report(model, "embedder", section, builtin: "builtin") }
            if let dimensions {
                section.report("dimensions", found: "\(dimensions)", expected: "none without a destination: builtin has 384")
            }
            if path == "" { section.report("path", found: "nothing", expected: "the folder with the model's files") }
            return .builtin(path: path)
        }
        checkRemote(section, destination, model, builtin: "builtin")
        if let path { section.report("path", found: path, expected: "none with a destination: it is the folder of builtin") }
        if dimensions == nil {
            section.report("dimensions", found: "nothing", expected: "how many numbers the model's vectors have, 1 to 65536")
        }
        return .remote(destination: destination, model: model, dimensions: dimensions ?? 1)
    }

    private static func reranker(_ section: ConfigSection) -> Reranker {
        let model = section.string("model", default: "features")
        guard let destination = section.optionalString("destination") else {
            if model != "features" { report(model, "reranker", section, builtin: "features") }
            return .features
        }
        checkRemote(section, destination, model, builtin: "features")
        return .remote(destination: destination, model: model)
    }

    private static func report(_ model: String, _ what: String, _ section: ConfigSection, builtin: String) {
        section.report("model", found: model, expected: "\(builtin), or a destination beside the model of a remote \(what)")
    }

    private static func checkRemote(_ section: ConfigSection, _ destination: String, _ model: String, builtin: String) {
        if destination.isEmpty { section.report("destination", found: "nothing", expected: "the name of a destination") }
        if model == builtin || model.isEmpty {
            section.report("model", found: model, expected: "the name of the destination's model; \(builtin) has none")
        }
    }
}

extension RetrievalConfiguration {
    /// `embedder.path`; nil for the usual places.
    var modelPath: String? {
        guard case .builtin(let path) = embedder else { return nil }
        return path
    }
}
