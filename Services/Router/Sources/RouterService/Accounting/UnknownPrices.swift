import BulkheadObservability
import Logging
import Synchronization

/// Sees to it that a model without a price is noticed: a metric, and a log line an hour.
package final class UnknownPrices: Sendable {
    private struct Known {
        var counter: Counter
        /// Seconds since 1970.
        var told: Int
    }

    /// Models with a label of their own: names come from clients, so the rest shares one.
    package static let maximumModels = 64
    private static let others = "other"
    private static let longestName = 128
    private static let silence = 3600

    private let known = Mutex<[String: Known]>([:])
    private let registry: MetricsRegistry
    private let logger: Logger

    package init(registry: MetricsRegistry, logger: Logger) {
        self.registry = registry
        self.logger = logger
    }

    /// Counts an answer of `model` whose cost is not known.
    /// - Parameter now: seconds since 1970.
    package func note(_ model: String, now: Int) {
        let (label, tells) = known.withLock { known in
            let isOther = known[model] == nil && (known.count >= Self.maximumModels || model.utf8.count > Self.longestName)
            let label = isOther ? Self.others : model
            var entry = known[label] ?? Known(counter: counter(label), told: .min)
            let tells = entry.told == .min || now - entry.told >= Self.silence
            if tells { entry.told = now }
            entry.counter.add()
            known[label] = entry
            return (label, tells)
        }
        guard tells else { return }
        logger.warning(
            "the price of a model is not known: its cost is counted as unknown; give it under router.model_info",
            metadata: ["model": "\(label)"])
    }

    private func counter(_ model: String) -> Counter {
        registry.counter(
            "router_unknown_price", help: "Answers whose cost is not known, because the model's price is not.",
            labels: [("model", model)])
    }
}
