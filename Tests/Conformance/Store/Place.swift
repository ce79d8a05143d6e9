import BulkheadCore
import BulkheadStore
import Foundation
import SessionService
import Synchronization

extension StoreUnderTest {
    /// An empty place for a store.
    func place() throws -> Place { Place(base: try makePlace()) }

    /// A store with the tables of session, in a place of its own.
    func open(clock: HandClock? = nil) async throws -> any DurableStore { try await place().open(clock: clock) }
}

/// Where a store is kept. Opened again it is the same store, also while the one that was opened first is still there.
struct Place: Sendable {
    let base: any StorePlace

    /// - Parameter clock: nil: the store's own.
    func open(clock: HandClock? = nil, schema: StoreSchema = SessionSchema.all) async throws -> any DurableStore {
        var read: (@Sendable () -> Int64)?
        if let clock { read = { clock.now } }
        return ClosingStore(
            place: base, opened: try await base.open(schema: schema, clock: read, observer: StoreObserver()))
    }
}

/// A store that is closed when nobody uses it any more.
private final class ClosingStore: DurableStore {
    /// Deleted later than the store is closed.
    private let place: any StorePlace
    private let opened: OpenStore

    init(place: any StorePlace, opened: OpenStore) {
        self.place = place
        self.opened = opened
    }

    deinit {
        // On a thread of its own: the last to let go may be one of the store's, which closing waits for. A store that does not
        // close is no reason to fail: its place goes as well.
        let (opened, place) = (opened, place)
        Thread.detachNewThread { withExtendedLifetime(place) { try? opened.close() } }
    }

    var kind: StoreKind { opened.store.kind }
    var now: Int64 { opened.store.now }
    var inspection: any StoreInspection { opened.store.inspection }

    func tick(now: MonotonicTime) { opened.store.tick(now: now) }

    func transact<Value: Sendable>(
        deadline: MonotonicTime, _ body: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        try await opened.store.transact(deadline: deadline, body)
    }

    func transact<Value: Sendable>(deadline: MonotonicTime, _ operation: StoreOperation<Value>) async throws -> Value {
        try await opened.store.transact(deadline: deadline, operation)
    }
}

/// A clock that a test moves; milliseconds since 1970.
final class HandClock: Sendable {
    private let moment = Mutex<Int64>(1_800_000_000_000)

    var now: Int64 { moment.withLock { $0 } }

    func advance(by milliseconds: Int64) { moment.withLock { $0 += milliseconds } }
}
