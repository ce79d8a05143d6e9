import BulkheadObservability
import Synchronization

/// The instruments of edge. Series are few and looked up by value, so that no label is put together on the request path.
final class EdgeMetrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    private let registry: MetricsRegistry
    private let requests = Mutex<[Key: Counter]>([:])
    private let latencies = Mutex<[String: Timing]>([:])
    private let inFlight: Gauge
    private let queued: Gauge
    private let connections: Gauge
    private let keys: Gauge
    private let watch: Gauge
    private let unreported: (requests: Gauge, money: Gauge)
    /// Requests served on remembered keys because session was away.
    let servedOnMemory: Counter
    /// Bytes of bodies passed on to destinations, and back.
    private let proxied: (to: Counter, from: Counter)
    /// Answers that ended with a word of their provider nobody here knows.
    let unknownFinishes: Counter

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        inFlight = registry.gauge("edge_requests_in_flight", help: "Requests that run.")
        queued = registry.gauge("edge_requests_queued", help: "Requests that wait, for a free place or a limit.")
        connections = registry.gauge("edge_connections", help: "Open client connections.")
        keys = registry.gauge("edge_keys_remembered", help: "API keys remembered for the time session is away.")
        watch = registry.gauge("edge_keys_watched", help: "1 while session tells of keys that change.")
        unreported = (
            registry.gauge(
                "edge_unreported_requests", help: "Requests served while session was away whose cost it was not told of yet."),
            registry.gauge("edge_unreported_spend_microusd", help: "What they cost, in millionths of a US dollar.")
        )
        servedOnMemory = registry.counter(
            "edge_degraded", help: "Requests served without a peer.", labels: [("missing", "session")])
        let proxied = { direction in
            registry.counter(
                "edge_proxied_bytes", help: "Bytes of bodies passed on by the credential proxy.",
                labels: [("direction", direction)])
        }
        self.proxied = (proxied("to"), proxied("from"))
        unknownFinishes = registry.counter(
            "edge_unknown_finish", help: "Answers whose provider ended them with a word that is not known here.")
    }

    /// Counts a finished request. The dialect follows from the route.
    func record(route: String, dialect: String, status: Int, microseconds: Int) {
        let counter = requests.withLock { requests -> Counter in
            let key = Key(route: route, status: status)
            if let known = requests[key] { return known }
            let made = registry.counter(
                "edge_requests", help: "Finished requests.",
                labels: [("route", route), ("dialect", dialect), ("status", "\(status)")])
            requests[key] = made
            return made
        }
        counter.add()
        let timing = latencies.withLock { latencies -> Timing in
            if let known = latencies[route] { return known }
            let made = registry.timing(
                "edge_request_duration", help: "From the request's head to the answer's end.", labels: [("route", route)])
            latencies[route] = made
            return made
        }
        timing.record(microseconds: Int64(microseconds))
    }

    /// Counts what was passed on to a destination, and back.
    func record(to: Int, from: Int) {
        if to > 0 { proxied.to.add(to) }
        if from > 0 { proxied.from.add(from) }
    }

    /// What session was not told of yet.
    func update(unreported sum: SpentSum) {
        unreported.requests.set(sum.requests)
        unreported.money.set(sum.nanousd / 1000)
    }

    /// Brings the gauges up to date.
    func update(inFlight: Int, queued: Int, connections: Int, keys: Int, isWatched: Bool) {
        self.inFlight.set(inFlight)
        self.queued.set(queued)
        self.connections.set(connections)
        self.keys.set(keys)
        watch.set(isWatched ? 1 : 0)
    }
}
