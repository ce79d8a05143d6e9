import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import NIOCore

/// What `/ready` says: how each part is, judged from the state of the links in memory. Calls nothing.
package struct ReadyDocument: Sendable {
    /// The whole suite.
    package enum Status: String, Sendable {
        /// `unavailable` is 503.
        case ready, degraded, unavailable
    }

    /// One part.
    package enum PartState: String, Sendable {
        /// Only the first two serve.
        case ready, degraded, down, draining
    }

    /// One service.
    package struct Part: Sendable, Equatable {
        /// The service.
        package var name: String
        /// How it is.
        package var state: PartState
        /// Seconds since 1970.
        package var since: Int
        /// For people; empty when ready.
        package var reason: String

        /// A part.
        package init(name: String, state: PartState, since: Int, reason: String = "") {
            self.name = name
            self.state = state
            self.since = since
            self.reason = reason
        }
    }

    /// One store of `suite.stores`.
    struct Store: Equatable {
        /// `durable` or `fast`.
        var kind: String
        /// What it is, e.g. `redis`.
        var name: String
        /// `degraded` while a service that answers says it cannot use it.
        var state: PartState
        /// Seconds since 1970.
        var since: Int
        /// For people; empty when ready.
        var reason: String
    }

    /// Without these no model request can be answered.
    private static let essential: Set<String> = [ServiceName.router.rawValue, ServiceName.credentials.rawValue]

    /// Edge first, then its peers.
    package let parts: [Part]
    let stores: [Store]

    /// - Parameters:
    ///   - own: edge itself.
    ///   - now: seconds since 1970.
    package init(own: Part, peers: [(peer: ServiceName, link: LinkSnapshot)], stores: [(kind: String, name: String)], now: Int) {
        parts = [own] + peers.map { Self.part($0.peer.rawValue, $0.link, now: now) }
        self.stores = stores.map { Self.store($0, $1, own, peers, now: now) }
    }

    private static func store(
        _ kind: String, _ name: String, _ own: Part, _ peers: [(peer: ServiceName, link: LinkSnapshot)], now: Int
    ) -> Store {
        // The last word of a peer that is gone says nothing about now.
        let failing = peers.filter { $0.link.state == .ready && $0.link.peerFailingStores?.contains(kind) == true }
        guard let first = failing.max(by: { $0.link.healthSeconds < $1.link.healthSeconds }) else {
            return Store(kind: kind, name: name, state: .ready, since: own.since, reason: "")
        }
        let services = failing.map(\.peer.rawValue).joined(separator: ", ")
        return Store(
            kind: kind, name: name, state: .degraded, since: now - Int(first.link.healthSeconds),
            reason: "\(services) cannot use it")
    }

    /// The worst that counts.
    package var status: Status {
        let isUp: (Part) -> Bool = { $0.state == .ready || $0.state == .degraded }
        if parts.contains(where: { Self.essential.contains($0.name) && !isUp($0) }) { return .unavailable }
        if parts.contains(where: { $0.name == ServiceName.edge.rawValue && !isUp($0) }) { return .unavailable }
        return parts.allSatisfy { $0.state == .ready } ? .ready : .degraded
    }

    /// 200 or 503.
    package var httpStatus: Int { status == .unavailable ? 503 : 200 }

    /// The JSON document.
    package func body() -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("status", status.rawValue)
            writer.object("services") { services in for part in parts { Self.write(part, to: &services) } }
            writer.object("stores") { list in
                for store in stores {
                    list.object(store.kind) {
                        $0.field("kind", store.name)
                        $0.field("state", store.state.rawValue)
                        $0.field("since", WallClock.timestamp(store.since))
                        $0.field("reason", store.reason)
                    }
                }
            }
            writer.array("degraded") { list in
                for part in parts where part.state != .ready { list.value(part.name) }
                for store in stores where store.state != .ready { list.value(store.name) }
            }
        }
        return writer.buffer
    }

    private static func write(_ part: Part, to services: inout JSONWriter) {
        services.object(part.name) {
            $0.field("state", part.state.rawValue)
            $0.field("since", WallClock.timestamp(part.since))
            $0.field("reason", part.reason)
        }
    }

    /// A link that is not ready says it all; else the peer's own word counts.
    private static func part(_ name: String, _ link: LinkSnapshot, now: Int) -> Part {
        let (state, reason) = judge(link)
        let isPeersWord = link.state == .ready && state != .ready
        let seconds = isPeersWord ? link.healthSeconds : link.stateSeconds
        return Part(name: name, state: state, since: now - Int(seconds), reason: reason)
    }

    private static func judge(_ link: LinkSnapshot) -> (PartState, String) {
        switch link.state {
        case .connecting, .down: return (.down, "not reachable")
        case .suspect: return (.down, "does not answer")
        case .incompatible: return (.down, "runs an incompatible version")
        case .draining: return (.draining, "is stopping")
        case .ready: break
        }
        let told = link.peerReason ?? ""
        switch link.peerHealth.flatMap({ PeerHealth.State(rawValue: $0) }) {
        case nil: return (.down, "has not said how it is")
        case .starting: return (.down, told.isEmpty ? "is starting" : told)
        case .notServing: return (.down, told.isEmpty ? "does not serve" : told)
        case .draining: return (.draining, told.isEmpty ? "is stopping" : told)
        case .degraded: return (.degraded, told)
        case .ready:
            return link.breaker.hasSuffix("open") && link.breaker != "half-open"
                ? (.degraded, "its calls fail or hang") : (.ready, "")
        }
    }
}

extension LinkSnapshot {
    /// Seconds for which the peer has been as it says, as far as this process saw it.
    fileprivate var healthSeconds: Double { min(stateSeconds, peerHealthSeconds ?? stateSeconds) }
}
