import BulkheadCore
import BulkheadObservability

/// What is counted about embedding.
package final class EmbeddingMeters: Sendable {
    private let texts: Counter
    private let hits: Counter
    private let misses: Counter
    private let time: Timing
    private let entries: Gauge
    private let bytes: Gauge
    private let waiting: Gauge
    private let loaded: Gauge

    /// Registers the series.
    package init(_ registry: MetricsRegistry) {
        let lookups = "Texts looked up in the embedding cache."
        texts = registry.counter("retrieval_texts_embedded", help: "Texts the built-in model has embedded.")
        hits = registry.counter("retrieval_embedding_cache", help: lookups, labels: [("result", "hit")])
        misses = registry.counter("retrieval_embedding_cache", help: lookups, labels: [("result", "miss")])
        time = registry.timing("retrieval_embed", help: "Time to compute what a call did not find in the cache, with waiting.")
        entries = registry.gauge("retrieval_embedding_cache_entries", help: "Texts in the embedding cache.")
        bytes = registry.gauge("retrieval_embedding_cache_bytes", help: "Bytes the embedding cache takes.")
        waiting = registry.gauge("retrieval_embed_waiting", help: "Calls that wait for the embedder.")
        loaded = registry.gauge("retrieval_model_loaded", help: "1 once the built-in model is loaded.")
    }

    /// Counts on their own, rendered nowhere.
    package convenience init() { self.init(MetricsRegistry(service: "retrieval")) }

    /// Texts embedded since the start, and how the cache did.
    package var totals: (texts: Int, hits: Int, misses: Int) { (texts.value, hits.value, misses.value) }

    func lookedUp(hits: Int, misses: Int) {
        self.hits.add(hits)
        self.misses.add(misses)
    }

    func computed(texts: Int, in duration: Duration) {
        self.texts.add(texts)
        time.record(microseconds: duration.nanosecondsClamped / 1000)
    }

    /// Brings the gauges up to date.
    func collect(_ embedder: Embedder) {
        let size = embedder.cache.size
        entries.set(size.entries)
        bytes.set(size.bytes)
        waiting.set(embedder.gate.waiting)
        if case .loaded = embedder.holder.status { loaded.set(1) } else { loaded.set(0) }
    }
}
