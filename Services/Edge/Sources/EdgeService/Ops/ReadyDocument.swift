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

    /// Without these no model request can be answered.
    private static let essential: Set<String> = [ServiceName.router.rawValue, ServiceName.credentials.rawValue]

    /// Edge first, then its peers.
    package let parts: [Part]
    let stores: [(kind: String, name: String)]

    /// - Parameters:
    ///   - own: edge itself.
    ///   - now: seconds since 1970.
    package init(own: Part, peers: [(peer: ServiceName, link: LinkSnapshot)], stores: [(kind: String, name: String)], now: Int) {
        parts = [own] + peers.map { Self.part($0.peer.rawValue, $0.link, now: now) }
        self.stores = stores
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
                        $0.field("state", "ready")
                    }
                }
            }
            writer.array("degraded") { list in for part in parts where part.state != .ready { list.value(part.name) } }
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
        return Part(name: name, state: state, since: now - Int(link.stateSeconds), reason: reason)
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
