import BulkheadConfig
import BulkheadPostgres

/// How a service uses PostgreSQL.
package struct PostgresSettings: Sendable {
    /// Where it is.
    package var target: PostgresTarget
    /// Threads, and connections, at most.
    package var connections: Int
    /// How long an operation without a deadline may wait, and then run.
    package var limit = Duration.seconds(5)
    /// Pauses between tries to reach a server that is away.
    package var backoff = Duration.milliseconds(50) ... .seconds(1)

    /// - Parameter connections: at most, one for each thread.
    package init(_ target: PostgresTarget, connections: Int) {
        self.target = target
        self.connections = connections
    }

    /// Session's part of the suite's connections: 14 of 20. Retrieval and telemetry have at least one each.
    package static func session(_ configuration: StoresConfiguration.Postgres) -> PostgresSettings {
        let share = min(configuration.connections - 2, configuration.connections * 14 / 20)
        return PostgresSettings(
            PostgresTarget(configuration, applicationName: "bulkhead-session"), connections: max(1, share))
    }
}

/// Whether the server can be reached.
package enum StoreAvailability: Sendable, Equatable {
    case reachable
    /// Since when does not matter; why, for people.
    case away(String)
}
