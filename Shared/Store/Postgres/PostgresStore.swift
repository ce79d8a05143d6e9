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
    private let settings: PostgresSettings
    private let schema: StoreSchema
    private let observer: StoreObserver

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
        self.settings = settings
        self.schema = schema
        self.observer = observer
        let worker = PostgresWorker(
            pool: pool, settings: settings, schema: schema.name, clock: clock, observer: observer)
        let warden = PostgresWarden(
            pool: pool, settings: settings, schema: schema, clock: clock, tell: availability, first: contact)
        for number in 1 ... settings.connections { Self.start("pg-\(number)") { worker.serve() } }
        Self.start("pg-warden") { warden.serve() }
    }

    /// What can be asked in SQL of a server.
    package var inspection: any StoreInspection {
        PostgresInspection(store: self, schema: schema) { [settings, schema] in
            // On a thread and a connection of its own: building an index over what is there takes its time.
            try await withCheckedThrowingContinuation { continuation in
                Self.start("pg-migrate") {
                    continuation.resume(with: Result { try Self.migrate(settings.target, schema) })
                }
            }
        }
    }

    private static func migrate(_ target: PostgresTarget, _ schema: StoreSchema) throws {
        do {
            try PostgresMigration(schema: schema).apply(try PostgresConnection.open(target))
        } catch let error as PostgresError {
            throw StoreOpenError("PostgreSQL: \(error)")
        }
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
        try await submit(deadline, body) { _ in nil }
    }

    /// Waits for a thread; those that wait together share its transaction.
    package func transact<Value: Sendable>(deadline: MonotonicTime, _ operation: StoreOperation<Value>) async throws -> Value {
        try await submit(deadline, { try operation.run($0) }) { tell in
            PostgresWork.Shared(first: operation.first) { rows, transaction in
                let value = try operation.then(rows, transaction)
                return { tell(value) }
            }
        }
    }

    private func submit<Value: Sendable>(
        _ deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value,
        _ shared: (@escaping @Sendable (Value) -> Void) -> PostgresWork.Shared?
    ) async throws -> Value {
        let since = MonotonicTime.now()
        return try await withCheckedThrowingContinuation { continuation in
            pool.submit(
                PostgresWork(
                    since: since, deadline: deadline, until: deadline == .never ? since + settings.limit : deadline,
                    run: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    shared: shared { continuation.resume(returning: $0) },
                    fail: { [observer] error in
                        observer.failed(error)
                        continuation.resume(throwing: error)
                    }))
        }
    }

    /// Operations that wait for a thread.
    package var waitingCount: Int { pool.waitingCount }

    /// Ends the threads and connections. Blocks until work that was taken in is done.
    package func close() { pool.close() }
}
