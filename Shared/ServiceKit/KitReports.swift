import BulkheadCore
import BulkheadConfig
import BulkheadIPC

/// What `status` shows.
package struct StatusReport: Codable, Sendable {
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
    package var link: LinkSnapshot
    /// What the service does without this peer.
    package var fallback: String
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
    package var level: String
    /// One change.
    package init(level: String) { self.level = level }
}

/// What `reload` gives.
package struct ReloadReport: Codable, Sendable {
    package var reloaded: Bool
    package var problems: [ConfigProblem]
}

/// The version of the suite.
package enum BulkheadVersion {
    /// Semantic version of this tree.
    package static let current = "0.1.0"
}
