import BulkheadCore
import BulkheadPostgres
import BulkheadStore
import Foundation
import SessionService
import Synchronization
import Testing

/// A store that the suites of this folder run on: `@Test(arguments: StoreUnderTest.all)`.
enum StoreUnderTest: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case postgres
    /// PostgreSQL behind a pooler in transaction mode.
    case pgbouncer

    /// Each kind there is.
    static let all = allCases

    var testDescription: String { rawValue }

    /// An empty place, and ways to open a store there; a place may be opened again, by one after the other.
    func makePlace() throws -> any StorePlace {
        switch self {
        case .sqlite: return SQLitePlace()
        case .postgres:
            let server = try PostgresServer.shared.get()
            return PostgresPlace(url: server.url(try server.makeDatabase()))
        case .pgbouncer:
            let server = try PostgresServer.shared.get()
            return PostgresPlace(url: try PgBouncer.shared.get().url(try server.makeDatabase()))
        }
    }

    /// Opens a store in an empty place, and closes it after `body`.
    func withStore<Value: Sendable>(
        schema: StoreSchema = SessionSchema.all, clock: (@Sendable () -> Int64)? = nil, observer: StoreObserver = StoreObserver(),
        _ body: (any DurableStore) async throws -> Value
    ) async throws -> Value {
        try await makePlace().withStore(schema: schema, clock: clock, observer: observer, body)
    }
}

/// Where a store is. What is in it is deleted when nobody knows the place any more.
protocol StorePlace: Sendable {
    /// - Throws: `StoreOpenError`.
    func open(schema: StoreSchema, clock: (@Sendable () -> Int64)?, observer: StoreObserver) async throws -> OpenStore
}

/// A store and how it is closed.
struct OpenStore: Sendable {
    var store: any DurableStore
    var close: @Sendable () throws -> Void
}

extension StorePlace {
    /// Opens the store, and closes it after `body`.
    func withStore<Value: Sendable>(
        schema: StoreSchema = SessionSchema.all, clock: (@Sendable () -> Int64)? = nil, observer: StoreObserver = StoreObserver(),
        _ body: (any DurableStore) async throws -> Value
    ) async throws -> Value {
        let opened = try await open(schema: schema, clock: clock, observer: observer)
        let result: Value
        do {
            result = try await body(opened.store)
        } catch {
            try opened.close()
            throw error
        }
        try opened.close()
        return result
    }
}

/// A file of SQLite's.
final class SQLitePlace: StorePlace {
    private let path = NSTemporaryDirectory() + "bh-store-\(UInt64.random(in: .min ... .max)).sqlite"

    deinit {
        for end in ["", "-wal", "-shm", ".lock"] { unlink(path + end) }
    }

    func open(schema: StoreSchema, clock: (@Sendable () -> Int64)?, observer: StoreObserver) async throws -> OpenStore {
        let store = try SQLiteStore.open(path: path, schema: schema, clock: clock, observer: observer)
        return OpenStore(store: store) { try store.close() }
    }
}

/// A database on a server.
struct PostgresPlace: StorePlace {
    let url: String
    var connections = 4

    func settings(_ connections: Int? = nil) -> PostgresSettings {
        PostgresSettings(
            PostgresTarget(url: url, applicationName: "bulkhead-test"), connections: connections ?? self.connections)
    }

    func open(schema: StoreSchema, clock: (@Sendable () -> Int64)?, observer: StoreObserver) async throws -> OpenStore {
        let store = PostgresStore(settings(), schema: schema, clock: clock, observer: observer)
        do {
            // Thrown, not required: there are tests that want it to fail.
            guard try await store.firstContact() == .reachable else { throw StoreOpenError("the server is not reachable") }
        } catch {
            store.close()
            throw error
        }
        return OpenStore(store: store) { store.close() }
    }
}
