import BulkheadCore
import BulkheadResilience
import NIOCore

/// The state of a link to a peer process.
package enum LinkState: String, Sendable, Codable {
    case connecting
    case ready
    /// The peer answers nothing: a PING is overdue.
    case suspect
    case down
    case draining
    /// The peer speaks another protocol version, or a method's messages are not compatible.
    case incompatible
}

/// The peer's own word on its health, pushed over the link when it changes.
package struct PeerHealth: Sendable, Equatable {
    /// The states a process can be in.
    package enum State: String, Sendable, Codable {
        case starting
        case ready
        case degraded
        case notServing
        case draining
    }
    /// How the peer is.
    package var state: State
    /// What is wrong, for people; empty when ready.
    package var reason: String
    /// Of the suite's stores (`durable`, `fast`): those the process cannot use; at most four.
    package var failingStores: [String]

    /// A word on one's health.
    package init(state: State, reason: String = "", failingStores: [String] = []) {
        self.state = state
        self.reason = reason
        self.failingStores = failingStores
    }
}

/// What `links` and `/ready` show of one link.
package struct LinkSnapshot: Sendable, Codable {
    /// The last error of a link that its own process has closed.
    package static let closedHere = "the link was closed"

    /// The service at the other end.
    package var peer: String
    /// What the link is.
    package var state: LinkState
    /// Seconds since the link came into this state.
    package var stateSeconds: Double
    /// closed | open | half-open | forced-open | forced-closed
    package var breaker: String
    package var inFlight: Int
    package var calls: UInt64
    package var failures: UInt64
    package var lastError: String?
    /// Latency of calls in milliseconds; nil before the first.
    package var p50Milliseconds: Double?
    package var p99Milliseconds: Double?
    /// The peer's health as it last said: starting | ready | degraded | notServing | draining; nil before it said anything.
    package var peerHealth: String?
    package var peerReason: String?
    /// Seconds since the peer's health last changed; nil before it said anything.
    package var peerHealthSeconds: Double?
    /// Of the suite's stores: those the peer cannot use, as it last said; nil for none.
    package var peerFailingStores: [String]?
    /// The peer's instance id (16 hexadecimal digits suffice for people).
    package var peerInstance: String?
    package var peerPID: Int32?
    /// Methods whose messages do not fit the peer's version; calls of them fail with `schema_skew`, all others work.
    package var skewed: [String]

    /// A link that has done nothing yet.
    package init(peer: String, state: LinkState) {
        self.peer = peer
        self.state = state
        self.stateSeconds = 0
        self.breaker = "closed"
        self.inFlight = 0
        self.calls = 0
        self.failures = 0
        self.skewed = []
    }
}
