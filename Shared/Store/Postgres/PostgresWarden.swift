import BulkheadCore
import BulkheadPostgres
import BulkheadResilience

/// The thread that fails work in time when no worker is free for it, and that looks for a server that is away: with pauses that
/// grow and are never the same for two processes.
struct PostgresWarden: Sendable {
    let pool: PostgresPool
    let settings: PostgresSettings
    let schema: StoreSchema
    let clock: PostgresClock
    /// Told of every change, and of the first look.
    let tell: @Sendable (StoreAvailability) -> Void
    /// Told of the first look alone.
    let first: FirstContact

    /// Watches until the store is closed. Blocks.
    func serve() {
        defer {
            first.settle(.failure(StoreOpenError("the store was closed")))
            pool.ended()
        }
        // Before the first look nobody knows whether it is there.
        var wasReachable = false
        while true {
            switch pool.watch() {
            case .closed: return
            case .late(let works):
                for work in works { work.fail(StoreFailure.late) }
            case .away(let reason):
                if wasReachable { tell(.away(reason)) }
                guard search() else { return }
                wasReachable = true
                tell(.reachable)
            }
        }
    }

    /// - Returns: false when the store was closed before the server was found.
    private func search() -> Bool {
        var backoff = Backoff(
            base: settings.backoff.lowerBound, limit: settings.backoff.upperBound, seed: .random(in: .min ... .max))
        while true {
            do {
                try reach()
                pool.becameReachable()
                first.settle(.success(.reachable))
                return true
            } catch {
                let reason = Self.reason(error)
                pool.stayedAway(reason)
                tell(.away(reason))
                first.settle((error as? StoreOpenError).map { .failure($0) } ?? .success(.away(reason)))
            }
            guard pool.rest(until: .now() + backoff.next()) else { return false }
        }
    }

    private func reach() throws {
        let connection = try PostgresConnection.open(settings.target)
        // After a failover the tables may be those of an earlier moment.
        try PostgresMigration(schema: schema).apply(connection)
        try clock.read(connection)
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? PostgresError else { return "\(error)" }
        guard case .fail(let meaning) = PostgresVerdict(error) else { return "\(error)" }
        return meaning.message
    }
}
