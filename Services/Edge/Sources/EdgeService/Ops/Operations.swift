import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadServiceKit
import HTTPTypes
import NIOCore
import Synchronization

/// What operators and their tools ask: probes and the routes, which answer from memory and call nothing, and metrics.
final class Operations: Sendable {
    private let context: ServiceContext
    private let services: EdgeServices
    private let startedAt = WallClock.unixSeconds()
    private let draining = Mutex(false)
    /// Brings edge's own gauges up to date.
    private let update = Mutex<@Sendable () -> Void>({})

    init(context: ServiceContext, services: EdgeServices) {
        self.context = context
        self.services = services
    }

    /// From now on `/ready` says so.
    func beginDrain() { draining.withLock { $0 = true } }

    /// What to do before edge's own metrics are shown.
    func beforeMetrics(_ body: @escaping @Sendable () -> Void) { update.withLock { $0 = body } }

    /// With an address for operators, metrics are there only, and there is nothing else there but probes.
    func isServed(_ endpoint: Endpoint, at door: EdgePipeline.Door) -> Bool {
        let isSplit = services.settings.current.opsListen != nil
        switch (endpoint, door) {
        case (.health, _), (.ready, _), (.metrics, .operators): return true
        case (.metrics, .clients): return !isSplit
        case (_, let door): return door == .clients
        }
    }

    /// - Returns: false when the endpoint is not one of operations.
    ///
    /// Not inlined: every request comes by here, and its task would keep what only these answers need.
    @inline(never)
    func answer(_ endpoint: Endpoint, _ exchange: Exchange) async throws -> Bool {
        switch endpoint {
        case .health: try await exchange.reply.send(WholeReply(status: 200, body: ByteBuffer(string: "{\"status\":\"ok\"}")))
        case .ready:
            let document = ready()
            try await exchange.reply.send(WholeReply(status: document.httpStatus, body: document.body()))
        case .metrics:
            try await admitOperator(exchange)
            let page = await metrics()
            try await exchange.reply.send(
                WholeReply(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: ByteBuffer(string: page)))
        case .contract: try await exchange.reply.send(WholeReply(status: 200, body: ContractDocument.body))
        default: return false
        }
        return true
    }

    /// How everything is, now.
    func ready() -> ReadyDocument {
        let isDraining = draining.withLock { $0 }
        var own = ReadyDocument.Part(name: ServiceName.edge.rawValue, state: .ready, since: startedAt)
        if isDraining {
            (own.state, own.reason) = (.draining, "is stopping")
        } else if let trouble = services.admission.tokens?.keys.trouble {
            (own.state, own.reason, own.since) = (.degraded, trouble.reason, trouble.since)
        }
        let stores = context.suite.stores
        return ReadyDocument(
            own: own, peers: services.peers.snapshots(),
            stores: [("durable", stores.durable.rawValue), ("fast", stores.fast.rawValue)], now: WallClock.unixSeconds())
    }

    /// Metrics name tenants and models: off loopback they are for admins.
    private func admitOperator(_ exchange: Exchange) async throws {
        let settings = services.settings.current
        guard settings.opsListen == nil, !settings.listen.isLoopback, settings.auth != .none else { return }
        let question = AdmissionRequest(route: Endpoint.metrics.rawValue, method: exchange.request.method.rawValue, counts: false)
        if case .run(let caller) = try await services.admission.admit(question, exchange.request.headers, exchange.scope),
            caller.isAdmin
        {
            return
        }
        throw EdgeError(.forbidden, message: "Metrics need an admin key on this address.")
    }

    private func metrics() async -> String {
        let peers = services.peers
        let texts = await withTaskGroup(of: (ServiceName, String?).self) { group in
            for (peer, _) in peers.snapshots() {
                group.addTask {
                    // A peer that does not answer is told by bulkhead_up; why, by /ready and `links`.
                    (peer, try? await peers.metrics(of: peer))
                }
            }
            return await group.reduce(into: [ServiceName: String]()) { $0[$1.0] = $1.1 }
        }
        update.withLock { $0 }()
        var page = MetricsPage()
        page.addUp(ServiceName.allCases.map { ($0.rawValue, $0 == .edge || texts[$0] != nil) })
        page.add(context.metrics.render())
        for service in ServiceName.allCases { page.add(texts[service] ?? "") }
        return page.text()
    }
}
