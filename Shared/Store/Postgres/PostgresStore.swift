import BulkheadCore
import BulkheadPostgres
import Foundation

/// A durable store in a schema of a PostgreSQL server, which any number of processes share. Each transaction has a connection of
/// the pool for itself; nothing of it outlives the transaction, so a pooler in transaction mode may stand between.
package struct PostgresStore: DurableStore {
    /// PostgreSQL.
    package let kind = StoreKind.postgres
    private let pool: PostgresPool
    private let clock: PostgresClock
    private let contact: FirstContact
    private let limit: Duration

    /// The server's clock; the host's until the server was reached.
    package var now: Int64 { clock.now }

    /// Starts the threads and looks for the server; until it is found `transact` fails at once.
    /// - Parameters:
    ///   - clock: milliseconds since 1970; nil: the server's.
    ///   - availability: told, on a thread of the store's, that the server is away or back.
    package init(
        _ settings: PostgresSettings, schema: StoreSchema, clock: (@Sendable () -> Int64)? = nil,
        observer: StoreObserver = StoreObserver(), availability: @escaping @Sendable (StoreAvailability) -> Void = { _ in }
    ) {
        let clock = PostgresClock(injected: clock)
        let contact = FirstContact()
        let pool = PostgresPool(threads: settings.connections + 1)
        self.pool = pool
        self.clock = clock
        self.contact = contact
        limit = settings.limit
        let worker = PostgresWorker(
            pool: pool, settings: settings, schema: schema.name, clock: clock, observer: observer)
        let warden = PostgresWarden(
            pool: pool, settings: settings, schema: schema, clock: clock, tell: availability, first: contact)
        for number in 1 ... settings.connections { Self.start("pg-\(number)") { worker.serve() } }
        Self.start("pg-warden") { warden.serve() }
    }

    private static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Waits for the first look for the server.
    /// - Throws: `StoreOpenError` when its tables are of a later version.
    package func firstContact() async throws -> StoreAvailability { try await contact.value() }

    /// Waits for a thread.
    package func transact<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        let since = MonotonicTime.now()
        return try await withCheckedThrowingContinuation { continuation in
            pool.submit(
                PostgresWork(
                    since: since, deadline: deadline, until: deadline == .never ? since + limit : deadline,
                    run: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { continuation.resume(throwing: $0) }))
        }
    }

    /// Ends the threads and connections. Blocks until work that was taken in is done.
    package func close() { pool.close() }
}
