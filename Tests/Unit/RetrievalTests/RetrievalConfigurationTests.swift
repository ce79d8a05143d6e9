import BulkheadConfig
import RetrievalService
import Testing

struct RetrievalConfigurationTests {
    private static func load(_ retrieval: String) throws -> RetrievalConfiguration {
        try loadConfiguration(RetrievalConfiguration.self, text: "retrieval:\n\(retrieval)\n", file: "b.yaml").service
    }

    @Test("an absent section has the documented defaults")
    func defaults() throws {
        let read = try loadConfiguration(RetrievalConfiguration.self, text: "suite: {}\n", file: "b.yaml").service
        #expect(read.embedder == .builtin(path: nil) && read.reranker == .features)
        #expect(read.querySimilarity == 0.95 && read.queryTimeToLive == .seconds(7200))
        #expect(read.embeddingTimeToLive == .seconds(86_400))
    }

    @Test("every key is read")
    func reads() throws {
        let read = try Self.load(
            """
              embedder: { destination: openai, model: text-embedding-3-small, dimensions: 1536 }
              query_cache: { similarity: 0.9, ttl: 30m }
              embedding_cache: { ttl: 1h }
              reranker: { destination: cohere, model: rerank-3 }
            """)
        #expect(read.embedder == .remote(destination: "openai", model: "text-embedding-3-small", dimensions: 1536))
        #expect(read.reranker == .remote(destination: "cohere", model: "rerank-3"))
        #expect(read.querySimilarity == 0.9 && read.queryTimeToLive == .seconds(1800))
        #expect(read.embeddingTimeToLive == .seconds(3600))
        #expect(try Self.load("  embedder: { model: builtin, path: /opt/m }").embedder == .builtin(path: "/opt/m"))
    }

    private static let refused: [(String, [String])] = [
        ("  embedder: { model: bert }", ["retrieval.embedder.model"]),
        ("  embedder: { destination: openai, model: x }", ["retrieval.embedder.dimensions"]),
        ("  embedder: { destination: openai, dimensions: 5 }", ["retrieval.embedder.model"]),
        ("  embedder: { dimensions: 5 }", ["retrieval.embedder.dimensions"]),
        ("  embedder: { destination: o, model: m, dimensions: 5, path: /x }", ["retrieval.embedder.path"]),
        ("  embedder: { destination: o, model: m, dimensions: 0 }", ["retrieval.embedder.dimensions"]),
        ("  reranker: { model: x }", ["retrieval.reranker.model"]),
        ("  reranker: { destination: x }", ["retrieval.reranker.model"]),
        ("  query_cache: { similarity: 1.1, ttl: 5 }", ["retrieval.query_cache.similarity", "retrieval.query_cache.ttl"]),
        ("  embedding_cache: { tll: 5s }", ["retrieval.embedding_cache.tll"]),
    ]

    @Test("what cannot be is a problem at its key", arguments: refused)
    func refuses(text: String, keys: [String]) throws {
        let error = try #require(throws: ConfigProblems.self) { try Self.load(text) }
        #expect(Set(error.problems.map(\.key)) == Set(keys))
    }
}
