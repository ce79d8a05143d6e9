import BulkheadCore
import BulkheadObservability

/// What is counted of tokens.
final class TokenMetrics: Sendable {
    /// What became of a token that was not refused.
    enum Outcome: String, CaseIterable {
        /// Verified within the last minute.
        case remembered
        case verified
        /// There were no keys.
        case unavailable
    }

    private let outcomes: [String: Counter]
    private let loads: (good: Counter, failed: Counter)
    private let age: Gauge
    private let known: Gauge

    init(_ registry: MetricsRegistry) {
        let names = Outcome.allCases.map(\.rawValue) + TokenRefusal.labels.map { "refused_\($0)" }
        outcomes = Dictionary(
            uniqueKeysWithValues: names.map {
                ($0, registry.counter("edge_tokens", help: "Tokens by what became of them.", labels: [("outcome", $0)]))
            })
        let load = { outcome in
            registry.counter(
                "edge_token_key_loads", help: "Loads of the identity provider's keys.", labels: [("outcome", outcome)])
        }
        loads = (load("good"), load("failed"))
        age = registry.gauge("edge_token_keys_age_seconds", help: "Since the identity provider's keys were read.")
        known = registry.gauge("edge_tokens_remembered", help: "Tokens verified within the last minute.")
    }

    func count(_ outcome: Outcome) { outcomes[outcome.rawValue]?.add() }

    func refused(_ refusal: TokenRefusal) { outcomes["refused_\(refusal.label)"]?.add() }

    func loaded(isGood: Bool) { (isGood ? loads.good : loads.failed).add() }

    func update(_ desk: TokenDesk) {
        age.set(Int((desk.keys.age?.milliseconds ?? 0) / 1000))
        known.set(desk.remembered)
    }
}
