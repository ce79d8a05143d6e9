import BulkheadAPI
import BulkheadIPC
import BulkheadObservability
import Synchronization

/// What telemetry counts: requests as they are stored, by provider and model, and its own work.
package final class TelemetryMetrics: Sendable {
    /// Provider and model pairs with series of their own; later ones share one pair named `other`.
    private static let modelLimit = 256

    private struct Model: Hashable {
        var provider: String
        var model: String
    }

    private struct Instruments: Sendable {
        let requests: [Counter]
        let inputTokens: Counter
        let outputTokens: Counter
        let cost: Counter
        let duration: Timing
    }

    /// Kinds of audit records with series of their own; later ones share one.
    private static let kindLimit = 64

    private struct Kind: Hashable {
        var event: String
        var decision: String
    }

    private struct State {
        var models: [Model: Instruments] = [:]
        var kinds: [Kind: Counter] = [:]
        var isFailing = false
    }

    private let state = Mutex(State())
    private let registry: MetricsRegistry
    private let report: @Sendable (PeerHealth) -> Void
    private let events: Counter
    private let replays: Counter
    private let drops: Counter
    private let refusals: Counter
    private let deleted: Counter

    /// Instruments that nobody reads.
    package convenience init() { self.init(MetricsRegistry(service: "telemetry")) { _ in } }

    /// Registers the instruments.
    /// - Parameter report: told when the store stops and begins to work.
    package init(_ registry: MetricsRegistry, report: @escaping @Sendable (PeerHealth) -> Void) {
        self.registry = registry
        self.report = report
        events = registry.counter("telemetry_events", help: "Events stored.")
        replays = registry.counter(
            "telemetry_replayed_events", help: "Events and records that came again and were stored before.")
        drops = registry.counter(
            "telemetry_lost_events", help: "Events and records producers dropped because their spool was full.")
        refusals = registry.counter("telemetry_refused_batches", help: "Batches the store could not take.")
        deleted = registry.counter("telemetry_deleted_rows", help: "Rows deleted at the end of their retention.")
    }

    func ingested(_ stored: ArraySlice<TelemetryAPI.RequestEvent>, replayed: Int, dropped: Int) {
        events.add(stored.count)
        replays.add(replayed)
        drops.add(dropped)
        for event in stored { count(event) }
        setFailing(nil)
    }

    /// Audit records were stored, or came again.
    func recorded(_ stored: ArraySlice<TelemetryAPI.CredentialRecord>, replayed: Int) {
        replays.add(replayed)
        for record in stored { counter(Kind(event: record.event, decision: record.decision)).add() }
    }

    private func counter(_ asked: Kind) -> Counter {
        state.withLock { state in
            if let known = state.kinds[asked] { return known }
            let kind = state.kinds.count < Self.kindLimit ? asked : Kind(event: "other", decision: "other")
            if let known = state.kinds[kind] { return known }
            let made = registry.counter(
                "telemetry_credential_records", help: "Records of credentials' audit trail by event and decision.",
                labels: [("event", kind.event), ("decision", kind.decision)])
            state.kinds[kind] = made
            return made
        }
    }

    func refused(_ error: any Error) {
        refusals.add()
        setFailing("events cannot be stored (\(error)); producers keep them")
    }

    func retired(_ rows: Int) { deleted.add(rows) }

    private func setFailing(_ reason: String?) {
        let changed = state.withLock { state in
            defer { state.isFailing = reason != nil }
            return state.isFailing != (reason != nil)
        }
        if changed { report(reason.map { PeerHealth(state: .degraded, reason: $0) } ?? PeerHealth(state: .ready)) }
    }

    private func count(_ event: TelemetryAPI.RequestEvent) {
        let instruments = instruments(Model(provider: event.provider, model: event.model))
        instruments.requests[min(5, event.status / 100)].add()
        instruments.inputTokens.add(event.inputTokens)
        instruments.outputTokens.add(event.outputTokens)
        instruments.cost.add(event.costNanousd ?? 0)
        instruments.duration.record(microseconds: Int64(event.durationUS))
    }

    private func instruments(_ asked: Model) -> Instruments {
        state.withLock { state in
            if let known = state.models[asked] { return known }
            let model = state.models.count < Self.modelLimit ? asked : Model(provider: "other", model: "other")
            if let known = state.models[model] { return known }
            let made = make(model)
            state.models[model] = made
            return made
        }
    }

    private func make(_ model: Model) -> Instruments {
        let labels = [(name: "provider", value: model.provider), (name: "model", value: model.model)]
        func tokens(_ direction: String) -> Counter {
            registry.counter("telemetry_tokens", help: "Tokens by direction.", labels: labels + [("direction", direction)])
        }
        return Instruments(
            requests: (0 ... 5).map { status in
                registry.counter(
                    "telemetry_requests", help: "Requests by status class.", labels: labels + [("status", "\(status)xx")])
            },
            inputTokens: tokens("input"), outputTokens: tokens("output"),
            cost: registry.counter("telemetry_cost_nanousd", help: "Cost in billionths of a US dollar.", labels: labels),
            duration: registry.timing("telemetry_request_duration", help: "Durations of requests.", labels: labels))
    }
}
