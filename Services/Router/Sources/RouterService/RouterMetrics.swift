import BulkheadCore
import BulkheadObservability
import Synchronization

/// The router's instruments.
package final class RouterMetrics: Sendable {
    package let retries: Counter
    /// Targets asked after another one had failed.
    package let fallbacks: Counter
    package let fallbackAnswers: Counter
    private let registry: MetricsRegistry
    private let perProvider = Mutex(PerProvider())
    /// By target, for the operator's verbs: as labels of metrics they would be too many.
    package let tallies = TargetTallies()

    /// Instruments by the labels they were made with; providers are configured, so there are few.
    private struct PerProvider {
        var attempts: [String: [String: Counter]] = [:]
        var latencies: [String: Timing] = [:]
        var disabled: [String: Gauge] = [:]
    }

    package init(_ registry: MetricsRegistry = MetricsRegistry(service: "router")) {
        self.registry = registry
        retries = registry.counter("router_retries", help: "Tries at a target that had failed before in the same request.")
        fallbacks = registry.counter("router_fallbacks", help: "Targets asked after another target of the route.")
        fallbackAnswers = registry.counter(
            "router_fallback_answers", help: "Requests answered with the configured fallback answer.")
    }

    /// Counts one try.
    package func attempt<Value>(_ target: Target, _ outcome: TryOutcome<Value>, took: Duration) {
        let word: String =
            switch outcome {
            case .answered: "answered"
            case .failed(let failure): failure.kind.rawValue
            case .brokenOff: "broken-off"
            }
        tallies.add(target, failed: word != "answered")
        let (counter, timing) = perProvider.withLock { instruments in
            let provider = target.provider
            let counter = instruments.attempts[provider]?[word] ?? made(provider, word)
            instruments.attempts[provider, default: [:]][word] = counter
            let timing = instruments.latencies[provider] ?? latency(provider)
            instruments.latencies[provider] = timing
            return (counter, timing)
        }
        counter.add()
        timing.record(microseconds: took.nanosecondsClamped / 1000)
    }

    /// Brings gauges up to date.
    package func collect(breakers: [(name: String, isOpen: Bool)], disabled: [String]) {
        for (name, isOpen) in breakers {
            registry.gauge(
                "router_target_open", help: "1 while the breaker of a target keeps requests away.", labels: [("target", name)]
            ).set(isOpen ? 1 : 0)
        }
        collect(disabled: Set(disabled))
    }

    /// A target that is on again keeps its series, at 0.
    private func collect(disabled: Set<String>) {
        let told = perProvider.withLock { instruments in
            for label in disabled where instruments.disabled[label] == nil {
                instruments.disabled[label] = registry.gauge(
                    "router_target_disabled", help: "1 while the operator has switched the target off.",
                    labels: [("target", label)])
            }
            return instruments.disabled
        }
        for (label, gauge) in told { gauge.set(disabled.contains(label) ? 1 : 0) }
    }

    private func made(_ provider: String, _ outcome: String) -> Counter {
        registry.counter(
            "router_attempts", help: "Tries by provider and how they ended.",
            labels: [("provider", provider), ("outcome", outcome)])
    }

    private func latency(_ provider: String) -> Timing {
        registry.timing("router_upstream", help: "Time of one try, from sending to its end.", labels: [("provider", provider)])
    }
}
