import BulkheadObservability

/// The series of one destination.
package struct DestinationMetrics: Sendable {
    /// Exchanges under way; also the count its limit is compared with.
    let inFlight: Gauge
    let answered: Counter
    let failed: Counter
    let refused: Counter
    let redactions: Counter
    /// Requests that a reused connection lost untouched and that were sent once more.
    let repeated: Counter
    /// From the call's arrival to the response's head.
    let firstByte: Timing

    /// The series of `destination`, made at its first use.
    package init(_ registry: MetricsRegistry = MetricsRegistry(service: "credentials"), destination: String) {
        let labels = [(name: "destination", value: destination)]
        func calls(_ outcome: String) -> Counter {
            registry.counter(
                "credentials_calls", help: "Calls by destination and outcome.",
                labels: labels + [(name: "outcome", value: outcome)])
        }
        inFlight = registry.gauge("credentials_in_flight", help: "Exchanges under way.", labels: labels)
        answered = calls("answered")
        failed = calls("failed")
        refused = calls("refused")
        redactions = registry.counter("credentials_redactions", help: "Echoes of a secret taken out of answers.", labels: labels)
        repeated = registry.counter(
            "credentials_repeats", help: "Requests sent once more because a pooled connection was closed before them.",
            labels: labels)
        firstByte = registry.timing(
            "credentials_first_byte", help: "From a call's arrival to the head of the upstream's response.", labels: labels)
    }
}
