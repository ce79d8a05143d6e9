import BulkheadConfig
import BulkheadCore
import BulkheadIPC

/// What `status` shows.
package struct StatusReport: Codable, Sendable {
    /// The service.
    package var service: String
    /// starting | ready | degraded | notServing | draining
    package var state: String
    package var reason: String
    package var pid: Int32
    package var instance: String
    package var version: String
    package var uptimeSeconds: Double
    /// Calls served on ipc.sock.
    package var server: ServerSnapshot
    package var configuration: String
    /// Log lines dropped because nobody read them.
    package var droppedLogLines: Int
}

/// What `links` shows of one link.
package struct LinkReport: Codable, Sendable {
    /// What the link is and does.
    package var link: LinkSnapshot
    /// What the service does without this peer.
    package var fallback: String
}

/// What `links --methods` shows of one link.
package struct LinkMethods: Sendable, Codable {
    /// The service at the other end.
    package var peer: String
    /// As negotiated in the last handshake; empty before the first.
    package var methods: [LinkMethod]
}

/// What `breakers` takes and gives.
package struct BreakerCommand: Codable, Sendable {
    package var name: String
    /// true open, false closed, nil automatic
    package var open: Bool?
    /// One command.
    package init(name: String, open: Bool?) {
        self.name = name
        self.open = open
    }
}

/// What `log-level` takes and gives.
package struct LogLevelChange: Codable, Sendable {
    /// trace | debug | info | notice | warning | error | critical
    package var level: String
    /// One change.
    package init(level: String) { self.level = level }
}

/// What `reload` gives.
package struct ReloadReport: Codable, Sendable {
    /// Whether the new configuration is in force.
    package var reloaded: Bool
    /// What is wrong with the file; empty after a reload.
    package var problems: [ConfigProblem]
}

/// The version of the suite.
package enum BulkheadVersion {
    /// Semantic version of this tree.
    package static let current = "0.1.0"
}
