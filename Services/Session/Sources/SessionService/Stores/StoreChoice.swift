import BulkheadServiceKit
import BulkheadStore

/// Opens the store that is configured.
enum StoreChoice {
    /// - Returns: the store; PostgreSQL's also when the server cannot be reached, whose return `health` is told then.
    /// - Throws: `StoreOpenError` when the store is damaged or of a later version.
    static func open(
        _ context: ServiceContext, observer: StoreObserver, health: StoreHealth
    ) async throws -> any DurableStore {
        guard context.suite.stores.durable == .postgres, let server = context.suite.stores.postgres else {
            let path = "\(context.stateDirectory)/session.sqlite"
            return try await context.blocking {
                try SQLiteStore.open(path: path, schema: SessionSchema.all, observer: observer)
            }
        }
        let store = PostgresStore(.session(server), schema: SessionSchema.all, observer: observer) { availability in
            // On the loop: health is pushed to peers there.
            context.eventLoop.execute { health.observe(availability) }
        }
        if case .away(let reason) = try await store.firstContact() {
            context.logger.warning("PostgreSQL cannot be reached; serving begins without it", metadata: ["error": "\(reason)"])
        }
        return store
    }
}
